package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// HandshakeTimeout bounds the exchange of hellos on the server's side, and
// WriteTimeout the writing of one frame on both: a peer that does not read is
// cut off, it never holds the other up for longer.
const (
	HandshakeTimeout = 5 * time.Second
	WriteTimeout     = 5 * time.Second
)

// Peer is who is at the other end, as the kernel says (SO_PEERCRED): for a
// client the process that called listen(), for a server the one that called
// connect(). A process may have passed its socket on since.
type Peer struct {
	PID int
	UID uint32
	GID uint32
}

// Conn is one end of a control connection. One goroutine may read while
// others write.
type Conn struct {
	Peer  Peer
	Hello Hello // of the other side, after the handshake

	c   *net.UnixConn
	dec *Decoder
	mu  sync.Mutex // over out and writes
	out []byte
}

func newConn(c *net.UnixConn) (*Conn, error) {
	peer, err := peerOf(c)
	if err != nil {
		return nil, err
	}
	return &Conn{Peer: peer, c: c, dec: NewDecoder(bufio.NewReaderSize(c, 4096))}, nil
}

func peerOf(c *net.UnixConn) (Peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, fmt.Errorf("cannot read peer credentials: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, credErr); err != nil {
		return Peer{}, fmt.Errorf("cannot read peer credentials: %w", err)
	}
	return Peer{int(cred.Pid), cred.Uid, cred.Gid}, nil
}

// Read gives the next frame of a known type; its payload is valid until the
// next Read. Errors are those of Decoder.Next; after one the connection is of
// no further use.
func (c *Conn) Read() (Frame, error) { return c.dec.Next() }

// SetReadDeadline bounds the reads that follow; the zero time removes it. A
// deadline in the past wakes a blocked Read.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.c.SetReadDeadline(t) }

// Send writes a frame whose payload is v in JSON, or empty where v is nil.
func (c *Conn) Send(t Type, v any) error {
	var payload []byte
	if v != nil {
		var err error
		if payload, err = json.Marshal(v); err != nil {
			return fmt.Errorf("cannot encode frame of type %d: %w", t, err)
		}
	}
	return c.write(t, payload)
}

// SendBytes writes raw terminal bytes (TypeOutput, TypeInput), in as many
// frames as they need.
func (c *Conn) SendBytes(t Type, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), MaxPayload)
		if err := c.write(t, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func (c *Conn) write(t Type, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := AppendFrame(c.out[:0], t, payload)
	if err != nil {
		return err
	}
	c.out = out
	return c.flush()
}

// File duplicates the connection's descriptor, for a keeper that hands a
// waiting reload client to its next image. The caller closes it.
func (c *Conn) File() (*os.File, error) { return c.c.File() }

// AdoptConn takes over a greeted connection from its descriptor, which it
// consumes. Bytes that the former owner had read ahead are lost, so this is
// only for a peer that waits for an answer.
func AdoptConn(file *os.File) (*Conn, error) {
	defer file.Close()
	nc, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("cannot adopt connection: %w", err)
	}
	c, ok := nc.(*net.UnixConn)
	if !ok {
		nc.Close()
		return nil, errors.New("cannot adopt connection: it is not a unix socket")
	}
	conn, err := newConn(c)
	if err != nil {
		c.Close()
		return nil, err
	}
	return conn, nil
}

// Close ends the connection and wakes a blocked Read.
func (c *Conn) Close() error { return c.c.Close() }

// sayHello sends our hello in this version.
func (c *Conn) sayHello(ours Hello) error {
	ours.Version, ours.MinVersion = Version, MinVersion
	if err := c.Send(TypeHello, ours); err != nil {
		return fmt.Errorf("cannot greet: %w", err)
	}
	return nil
}

// hearHello reads the other side's hello. The caller set a read deadline.
func (c *Conn) hearHello() error {
	f, err := c.Read()
	if err != nil {
		return fmt.Errorf("cannot read greeting: %w", err)
	}
	switch f.Type {
	case TypeHello:
	case TypeError:
		return refusal(f)
	default:
		return &Error{RefusedProtocol, fmt.Sprintf("the first frame has type %d instead of a hello", f.Type), ""}
	}
	if err := f.Decode(&c.Hello); err != nil {
		return err
	}
	return compatible(c.Hello)
}

// compatible tells whether a hello's sender speaks a version that we do.
func compatible(h Hello) error {
	if h.Version >= MinVersion && h.MinVersion <= Version {
		return nil
	}
	return &Error{RefusedVersion,
		fmt.Sprintf("the other side speaks control protocol %d to %d, this program %d to %d",
			h.MinVersion, h.Version, MinVersion, Version),
		"bring both to one release: systemctl reload 'clauster@*.service'"}
}

// refusal decodes an Error frame.
func refusal(f Frame) error {
	e := new(Error)
	if err := f.Decode(e); err != nil {
		return err
	}
	return e
}
