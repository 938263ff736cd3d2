// Package wire is the conversation between a test and the agent in its VM, over
// a virtio serial port: JSON messages, one a line. A line that does not parse
// is dropped by either side, which is how they find back to each other after
// one of them was cut off in the middle of a line (a reboot, a power cut).
package wire

import (
	"bufio"
	"encoding/json"
	"io"
	"sync"
)

// PortName is the name of the virtio serial port.
const PortName = "clauster.machine"

// Kind says what a message is.
type Kind string

// Kinds of message; the agent sends those of the second group.
const (
	Ack    Kind = "ack"    // the test has heard a hello
	Start  Kind = "start"  // run a command
	Stdin  Kind = "stdin"  // Data for a command; empty Data closes its input
	Signal Kind = "signal" // Code for a command's process group

	Hello  Kind = "hello" // the agent is up; Boot is the kernel's boot id
	Stdout Kind = "stdout"
	Stderr Kind = "stderr"
	Exit   Kind = "exit" // Code, or Error if the command could not be run
)

// Message is one line. ID tells commands apart; the test counts them up.
type Message struct {
	Kind  Kind
	ID    int      `json:",omitempty"`
	Data  []byte   `json:",omitempty"`
	Code  int      `json:",omitempty"`
	Error string   `json:",omitempty"`
	Boot  string   `json:",omitempty"`
	Args  []string `json:",omitempty"`
	Env   []string `json:",omitempty"` // all of it
	Dir   string   `json:",omitempty"`
	User  string   `json:",omitempty"`
}

// Writer sends messages. Safe for concurrent use.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
}

// NewWriter gives a writer of messages to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Send writes one message. The newline before it ends whatever a dead sender
// left unfinished.
func (w *Writer) Send(m Message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.w.Write(append(append([]byte{'\n'}, text...), '\n'))
	return err
}

// maxLine bounds a message; senders keep Data at a tenth of that.
const maxLine = 1 << 20

// MaxData is the most Data one message should carry.
const MaxData = 64 << 10

// Receive calls each for every message until r ends, and returns why.
func Receive(r io.Reader, each func(Message)) error {
	b := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := b.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			continue // garbage; the next newline ends it
		}
		if err != nil {
			return err
		}
		var m Message
		if json.Unmarshal(line, &m) == nil && m.Kind != "" {
			each(m)
		}
	}
}
