package wire

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states. Waiting deliveries are tried at Next; Dead ones were given up
// after the last retry; Cancelled and Discarded were ended by a person.
const (
	DeliveryWaiting   DeliveryState = "waiting"
	DeliveryDone      DeliveryState = "delivered"
	DeliveryDead      DeliveryState = "dead"
	DeliveryCancelled DeliveryState = "cancelled"
	DeliveryDiscarded DeliveryState = "discarded"
)

// Delivery is one event on its way to one target. Target names it without any
// secret: scheme, host and a short hash of the URL.
type Delivery struct {
	ID       string        `json:"id"` // UUIDv7
	Host     string        `json:"host"`
	EventID  string        `json:"event_id"`
	Event    string        `json:"event"`
	Instance string        `json:"instance,omitempty"`
	Channel  string        `json:"channel"` // webhook or notification
	Target   string        `json:"target"`
	State    DeliveryState `json:"state"`
	Attempts int           `json:"attempts"`
	Created  Time          `json:"created"`
	Updated  Time          `json:"updated"`
	Next     Time          `json:"next,omitzero"`
	Code     int           `json:"response_status,omitempty"` // of the last attempt
	Error    string        `json:"error,omitempty"`           // of the last attempt, redacted
}

// Target is the health of one place that events are delivered to.
type Target struct {
	Host        string `json:"host"`
	Target      string `json:"target"`
	Channel     string `json:"channel"`
	Healthy     bool   `json:"healthy"`
	Failures    int    `json:"failures"` // in a row
	LastSuccess Time   `json:"last_success,omitzero"`
	LastFailure Time   `json:"last_failure,omitzero"`
	Error       string `json:"error,omitempty"`
	Waiting     int    `json:"waiting"`
	Dead        int    `json:"dead"`
}

// Deliveries is the answer of GET /api/v1/deliveries.
type Deliveries struct {
	Host       string     `json:"host"`
	Deliveries []Delivery `json:"deliveries"`
	Targets    []Target   `json:"targets"`
	Next       string     `json:"next,omitempty"`
}

// NotifyResult is how a test message to one notification target went.
type NotifyResult struct {
	Target string `json:"target"`
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"` // redacted
}

// NotifyTest is the answer of POST /api/v1/notify/test.
type NotifyTest struct {
	Host    string         `json:"host"`
	Results []NotifyResult `json:"results"`
}
