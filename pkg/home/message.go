package home

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/project"
)

// Version is the protocol's version, MinVersion the oldest that this code still
// speaks. Each side sends both in the one frame it writes. A new call or a new
// field does not raise either.
const (
	Version    = 1
	MinVersion = 1
)

// Bounds of one frame, in bytes. A list of projects is the largest answer.
const (
	MaxRequest = 4 << 10
	MaxAnswer  = 4 << 20
)

// Call is what is asked: a closed list.
type Call string

// The calls.
const (
	CallClaude   Call = "claude-version"
	CallAuth     Call = "auth-status"
	CallProjects Call = "projects"
	CallProject  Call = "project"
)

// Request is the one frame of a client.
type Request struct {
	Version    int    `json:"version"`
	MinVersion int    `json:"min_version"`
	Program    string `json:"program,omitempty"` // release of the sender
	Call       Call   `json:"call"`
	Project    string `json:"project,omitempty"` // of CallProject
}

// Answer is the one frame of the server: Error, or what was asked for.
type Answer struct {
	Version    int            `json:"version"`
	MinVersion int            `json:"min_version"`
	Program    string         `json:"program,omitempty"`
	Error      *Error         `json:"error,omitempty"`
	Claude     *Claude        `json:"claude,omitempty"`
	Auth       *Auth          `json:"auth,omitempty"`
	Projects   *Projects      `json:"projects,omitempty"`
	Project    *project.Facts `json:"project,omitempty"`
}

// Claude is the installed program. Cause is set where it cannot be used; what
// is known stands beside it.
type Claude struct {
	Path    string        `json:"path,omitempty"`
	File    File          `json:"file,omitzero"`
	Version string        `json:"version,omitempty"`
	Cause   *bridge.Cause `json:"cause,omitempty"`
}

// OK reports whether claude --version answered; one that is too old did.
func (c Claude) OK() bool { return c.Version != "" }

// File tells one executable from another: a change of any field is an update.
type File struct {
	Device, Inode uint64
	Size          int64
	Modified      time.Time
}

// Auth is what claude auth status says, without anything personal.
type Auth struct {
	LoggedIn bool          `json:"logged_in"`
	Method   string        `json:"method,omitempty"`   // claude.ai, oauth_token, api_key, third_party, none
	Provider string        `json:"provider,omitempty"` // firstParty, bedrock …
	Expires  time.Time     `json:"expires,omitzero"`
	Cause    *bridge.Cause `json:"cause,omitempty"` // why it does not allow Remote Control
}

// Projects are all projects with their facts.
type Projects struct {
	Root     string          `json:"root"` // projects_root, expanded
	Projects []project.Facts `json:"projects"`
}

// ErrorKind is the machine-readable half of an Error: a closed list.
type ErrorKind string

// The kinds of refusal.
const (
	RefusedVersion  ErrorKind = "version"   // the two do not speak a common version
	RefusedRequest  ErrorKind = "request"   // unknown call, a name that breaks the rules, no JSON
	RefusedDenied   ErrorKind = "denied"    // the peer's uid may not ask
	RefusedConfig   ErrorKind = "config"    // clauster.toml or its user cannot be used
	RefusedNotFound ErrorKind = "not-found" // no such project
	RefusedTimeout  ErrorKind = "timeout"   // it took too long
	RefusedFailed   ErrorKind = "failed"    // it was tried
)

// Error is a refusal by the server.
type Error struct {
	Kind    ErrorKind `json:"kind"`
	Message string    `json:"message"`
	Next    string    `json:"hint,omitempty"` // the next command
}

func (e *Error) Error() string { return e.Message }

// Hint is the next command, "" where there is none.
func (e *Error) Hint() string { return e.Next }

// compatible tells whether a frame's sender speaks a version that we do.
func compatible(version, least int) error {
	if version >= MinVersion && least <= Version {
		return nil
	}
	return &Error{RefusedVersion, fmt.Sprintf("the other side speaks protocol %d to %d of clauster-home, this program %d to %d",
		least, version, MinVersion, Version), "systemctl restart clauster-api clauster-home"}
}

// WriteFrame writes a length and v in JSON; at most limit bytes.
func WriteFrame(w io.Writer, v any, limit int) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode a frame: %w", err)
	}
	if len(data) > limit {
		return errTooLarge
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
	return err
}

var errTooLarge = errors.New("cannot pass a frame: it is larger than it may be")

// ReadFrame reads a frame from who is not trusted into v. Memory is taken as
// bytes arrive, not as the length announces.
func ReadFrame(r io.Reader, v any, limit int) error {
	var header [4]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return fmt.Errorf("cannot read a frame: %w", err)
	}
	size := binary.BigEndian.Uint32(header[:])
	if uint64(size) > uint64(limit) {
		return errTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err == nil && len(data) < int(size) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("cannot read a frame: %w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("cannot read a frame: %w", err)
	}
	return nil
}

// refusal makes an Error of any error.
func refusal(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var hinted interface{ Hint() string }
	hint := ""
	if errors.As(err, &hinted) {
		hint = hinted.Hint()
	}
	return &Error{RefusedFailed, cmp.Or(err.Error(), "it failed"), hint}
}
