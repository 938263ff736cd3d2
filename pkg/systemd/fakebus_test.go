package systemd

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

// fakeBus is a message bus with a systemd on it, which does every job at once.
// It takes the messages of a connection in their order, as a bus does.
type fakeBus struct {
	t *testing.T

	mu     sync.Mutex
	calls  []string          // members, in their order
	fails  map[string]string // a member's next answer is this error
	silent map[string]bool   // members that are not answered until a job was asked for
	jobs   int
}

// newFakeBus puts the bus where System is looked for.
func newFakeBus(t *testing.T) *fakeBus {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+path)
	b := &fakeBus{t: t, fails: map[string]string{}, silent: map[string]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			serving.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { l.Close() })
	return b
}

// connect gives a connection to the bus.
func (b *fakeBus) connect() *Bus {
	b.t.Helper()
	bus, err := Connect(b.t.Context(), System)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(bus.Close)
	return bus
}

// heard gives the members that were called, in their order.
func (b *fakeBus) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

func (b *fakeBus) asked(member string) int {
	return len(slices.DeleteFunc(b.heard(), func(s string) bool { return s != member }))
}

func (b *fakeBus) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for authenticated := false; !authenticated; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch line = strings.Trim(line, "\x00\r\n"); {
		case line == "AUTH":
			fmt.Fprint(c, "REJECTED EXTERNAL\r\n")
		case line == "BEGIN":
			authenticated = true
		case line == "NEGOTIATE_UNIX_FD":
			fmt.Fprint(c, "ERROR\r\n")
		default:
			fmt.Fprint(c, "OK 0123456789abcdef0123456789abcdef\r\n")
		}
	}
	w := &fakeClient{c: c}
	for {
		m, err := dbus.DecodeMessage(r)
		if err != nil {
			return
		}
		b.take(w, m)
	}
}

// fakeClient is one connection as the bus sees it.
type fakeClient struct {
	c       net.Conn
	listens bool
	held    []*dbus.Message
}

func (w *fakeClient) send(m *dbus.Message) {
	if len(m.Body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(m.Body...))
	}
	_ = m.EncodeTo(w.c, binary.LittleEndian) // the client may have gone
}

func (b *fakeBus) take(w *fakeClient, m *dbus.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	member, _ := m.Headers[dbus.FieldMember].Value().(string)
	b.calls = append(b.calls, member)
	answer := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{dbus.FieldReplySerial: dbus.MakeVariant(m.Serial())}}
	job := dbus.ObjectPath("")
	switch wrong := b.fails[member]; {
	case wrong != "":
		delete(b.fails, member)
		answer.Type, answer.Headers[dbus.FieldErrorName] = dbus.TypeError, dbus.MakeVariant(wrong)
	case member == "Hello":
		answer.Body = []any{":1.7"}
	case member == "GetNameOwner":
		answer.Body = []any{":1.1"}
	case member == "AddMatch":
		w.listens = w.listens || strings.Contains(m.Body[0].(string), "JobRemoved")
	default:
		b.jobs++
		job = dbus.ObjectPath(fmt.Sprint("/org/freedesktop/systemd1/job/", b.jobs))
		answer.Body = []any{job}
	}
	if b.silent[member] {
		w.held = append(w.held, answer)
		return
	}
	if job != "" {
		for _, h := range w.held {
			w.send(h)
		}
		w.held = nil
	}
	if job != "" && w.listens {
		// Done before the call that made it has returned.
		w.send(&dbus.Message{Type: dbus.TypeSignal, Body: []any{uint32(b.jobs), job, m.Body[0], "done"}, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldPath: dbus.MakeVariant(managerPath), dbus.FieldInterface: dbus.MakeVariant(managerIf),
			dbus.FieldMember: dbus.MakeVariant("JobRemoved"), dbus.FieldSender: dbus.MakeVariant(":1.1")}})
	}
	w.send(answer)
}
