package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxRecordSize bounds a launch record or request on disk; both are a few
// hundred bytes.
const MaxRecordSize = 16 << 10

// RecordSchema is the version of the launch record's form.
const RecordSchema = 1

// Options are the choices of one launch. A zero field means "not chosen": the
// keeper takes the recorded choice when it resumes, else the configuration's.
type Options struct {
	Mode           Mode           `json:"mode,omitempty"`
	SpawnMode      SpawnMode      `json:"spawn_mode,omitempty"`
	PermissionMode PermissionMode `json:"permission_mode,omitempty"`
	Name           string         `json:"name,omitempty"` // chosen display name
	Capacity       int            `json:"capacity,omitempty"`
	Prefix         string         `json:"session_name_prefix,omitempty"`
	Verbose        bool           `json:"verbose,omitempty"`
}

// Request is what clauster-ctl (or the API) wants of the next start of an
// instance: /var/lib/clauster/instances/INSTANCE.json.request. The keeper
// consumes it at a manual start and ignores it once Expires has passed or the
// host has rebooted, so that a request whose start never came cannot colour a
// later one.
type Request struct {
	Options
	Instance string    `json:"instance"`
	Resume   bool      `json:"resume,omitempty"`    // continue the recorded conversation
	Fork     string    `json:"fork_from,omitempty"` // pty: session UUID for --resume ID --fork-session
	Trust    bool      `json:"trust,omitempty"`     // grant workspace trust and consent first
	Expires  time.Time `json:"expires"`
	BootID   string    `json:"boot_id,omitempty"` // of the kernel under which it was asked
}

// Record is the launch record /var/lib/clauster/instances/INSTANCE.json
// (0640 clauster:clauster): what was launched last, so that a resume, a boot
// and a list after the unit is gone know it. It is written before the gate
// opens. Readers treat it as input: Validate before use.
type Record struct {
	Schema   int       `json:"schema"`
	Kind     Kind      `json:"kind"`
	Host     string    `json:"host"`
	Instance string    `json:"instance"`
	Options            // as launched, every field settled
	Label    string    `json:"label"` // the name given to claude
	Path     string    `json:"path"`  // the project directory, resolved
	Worktree string    `json:"worktree,omitempty"`
	Resumed  string    `json:"resumed,omitempty"` // session UUID this launch forked from
	Continue bool      `json:"continue,omitempty"`
	Run      string    `json:"run"`     // systemd InvocationID
	BootID   string    `json:"boot_id"` // of the kernel that ran it
	Config   string    `json:"config_hash,omitempty"`
	Created  time.Time `json:"created"`  // first launch of this instance
	Launched time.Time `json:"launched"` // this launch
}

// DecodeRecord reads and validates a launch record. The content is foreign
// input: whoever may write the directory may have written anything. The error
// says what is wrong with it; whoever has read the file names it.
func DecodeRecord(data []byte) (Record, error) {
	var r Record
	if err := decodeStrict(data, &r); err != nil {
		return Record{}, err
	}
	if err := r.Validate(); err != nil {
		return Record{}, err
	}
	return r, nil
}

// DecodeRequest reads and validates a launch request.
func DecodeRequest(data []byte) (Request, error) {
	var r Request
	if err := decodeStrict(data, &r); err != nil {
		return Request{}, fmt.Errorf("cannot read launch request: %w", err)
	}
	if err := r.Validate(); err != nil {
		return Request{}, err
	}
	return r, nil
}

func decodeStrict(data []byte, into any) error {
	if len(data) > MaxRecordSize {
		return fmt.Errorf("it is larger than %d bytes", MaxRecordSize)
	}
	return json.Unmarshal(data, into)
}

// Validate reports the first field that breaks a rule.
func (r *Record) Validate() error {
	bad := func(field, rule string) error {
		return fmt.Errorf("%s: %s", field, rule)
	}
	if r.Schema < 1 || r.Schema > RecordSchema {
		return bad("schema", fmt.Sprintf("version %d is not known", r.Schema))
	}
	if r.Kind != KindBridge {
		return bad("kind", fmt.Sprintf("%q is not known", r.Kind))
	}
	if _, err := ParseInstance(r.Instance); err != nil {
		return bad("instance", err.Error())
	}
	if err := r.Options.Validate(); err != nil {
		return bad("options", err.Error())
	}
	if err := CheckDisplayName(r.Label); err != nil {
		return bad("label", err.Error())
	}
	if r.Worktree != "" {
		if err := checkName("worktree", r.Worktree, MaxProjectLen); err != nil {
			return bad("worktree", err.Error())
		}
	}
	if r.Resumed != "" && !IsUUID(r.Resumed) {
		return bad("resumed", "it is not a session UUID")
	}
	if !strings.HasPrefix(r.Path, "/") || strings.ContainsFunc(r.Path, unicode.IsControl) {
		return bad("path", "it is not an absolute path")
	}
	for _, f := range [...][2]string{{"host", r.Host}, {"run", r.Run}, {"boot_id", r.BootID}} {
		if len(f[1]) > 255 || strings.ContainsFunc(f[1], func(c rune) bool { return c <= ' ' || c > '~' }) {
			return bad(f[0], "it is not a plain word")
		}
	}
	return nil
}

// Validate reports the first field of a request that breaks a rule.
func (r *Request) Validate() error {
	if _, err := ParseInstance(r.Instance); err != nil {
		return err
	}
	if err := r.Options.Validate(); err != nil {
		return err
	}
	if r.Fork != "" && !IsUUID(r.Fork) {
		return fmt.Errorf("cannot resume session %q: it is not a session UUID", r.Fork)
	}
	if r.Fork != "" && r.Mode == Standard {
		return fmt.Errorf("cannot resume session %q: only mode pty can continue a chosen session", r.Fork)
	}
	if r.SpawnMode == Session && (r.Mode == PTY || r.Fork != "") {
		return ErrSessionInPTY
	}
	return nil
}

// ErrSessionInPTY refuses a combination that claude has not got: the spawn mode
// belongs to claude remote-control, and a pty bridge that ended would pass for
// one whose single session did. Records are not held to it: an old one may have
// it, and a resume then takes same-dir.
var ErrSessionInPTY = errors.New("cannot use spawn mode session with mode pty: it has only same-dir and worktree")

// Validate reports the first option that breaks a rule; zero fields are legal.
func (o *Options) Validate() error {
	if o.Mode != "" && !slices.Contains(Modes(), o.Mode) {
		return unknownWord("mode", o.Mode, Modes())
	}
	if o.SpawnMode != "" && !slices.Contains(SpawnModes(), o.SpawnMode) {
		return unknownWord("spawn mode", o.SpawnMode, SpawnModes())
	}
	if o.PermissionMode != "" && !slices.Contains(PermissionModes(), o.PermissionMode) {
		return unknownWord("permission mode", o.PermissionMode, PermissionModes())
	}
	if o.Capacity < 0 || o.Capacity > 1024 {
		return fmt.Errorf("cannot use capacity %d: it must be between 1 and 1024", o.Capacity)
	}
	if o.Name != "" {
		if err := CheckDisplayName(o.Name); err != nil {
			return err
		}
	}
	if o.Prefix != "" {
		return CheckDisplayName(o.Prefix)
	}
	return nil
}

func unknownWord[T ~string](what string, got T, legal []T) error {
	words := make([]string, len(legal))
	for i, w := range legal {
		words[i] = string(w)
	}
	return fmt.Errorf("cannot use %s %q: it must be one of %s", what, got, strings.Join(words, ", "))
}

// MaxDisplayName bounds a chosen name, in bytes.
const MaxDisplayName = 128

// CheckDisplayName reports whether a name may be handed to claude as --name:
// printable UTF-8 of one line that cannot be taken for a flag.
func CheckDisplayName(s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return fmt.Errorf("cannot use name %q: it is empty", s)
	case len(s) > MaxDisplayName:
		return fmt.Errorf("cannot use name %.20q…: it is longer than %d bytes", s, MaxDisplayName)
	case strings.HasPrefix(s, "-"):
		return fmt.Errorf("cannot use name %q: it begins with -", s)
	case !utf8.ValidString(s):
		return fmt.Errorf("cannot use name %q: it is not UTF-8", s)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("cannot use name %q: it holds characters that do not print", s)
	}
	return nil
}

// IsUUID reports whether s has the form of a lower- or upper-case RFC 4122
// UUID, which is what claude names its local sessions by.
func IsUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}
