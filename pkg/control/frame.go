package control

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Version is the protocol's version, MinVersion the oldest that this code
// still speaks. A new frame type does not raise either: it is skipped by who
// does not know it. A changed meaning raises both.
const (
	Version    = 1
	MinVersion = 1
)

// MaxPayload bounds the payload of one frame, in bytes.
const MaxPayload = 64 << 10

// headerSize is type and length, in bytes.
const headerSize = 6

// Type tells what a frame's payload is.
type Type uint16

// The frame types. Numbers are part of the wire and never reused.
const (
	TypeHello Type = 1 // both: Hello, the first frame of each side
	TypeError Type = 2 // server: Error, the answer to what it refuses

	TypeStateRequest Type = 16 // client: empty
	TypeState        Type = 17 // server: State

	TypeAttach   Type = 32 // client: Attach
	TypeAttached Type = 33 // server: Attached; Output follows, first the replay
	TypeOutput   Type = 34 // server: raw bytes of the terminal
	TypeInput    Type = 35 // client: raw bytes for the terminal
	TypeResize   Type = 36 // client: Size
	TypeDetach   Type = 37 // client: empty; the server closes
	TypeEnded    Type = 38 // server: Ended, the bridge is gone

	TypeReloadRequest Type = 48 // client: empty; uid 0, or the own uid in user mode
	TypeReloaded      Type = 49 // server: Reloaded, sent by the new image

	TypeLinkRequest Type = 64 // client: empty
	TypeLink        Type = 65 // server: Link

	TypeWatch    Type = 80 // client: empty
	TypeWatching Type = 81 // server: Watching; Lines follow
	TypeLine     Type = 82 // server: Line
)

// known reports whether this version understands the type.
func (t Type) known() bool {
	switch t {
	case TypeHello, TypeError, TypeStateRequest, TypeState,
		TypeAttach, TypeAttached, TypeOutput, TypeInput, TypeResize, TypeDetach, TypeEnded,
		TypeReloadRequest, TypeReloaded, TypeLinkRequest, TypeLink,
		TypeWatch, TypeWatching, TypeLine:
		return true
	}
	return false
}

// Frame is one message. Its payload is only valid until the next read from the
// same decoder.
type Frame struct {
	Type    Type
	Payload []byte
}

// ErrTooLarge is returned for a frame whose header announces more than
// MaxPayload bytes; the stream cannot be used any further.
var ErrTooLarge = errors.New("control frame is larger than 64 KiB")

// AppendFrame appends the wire form of a frame to dst.
func AppendFrame(dst []byte, t Type, payload []byte) ([]byte, error) {
	if len(payload) > MaxPayload {
		return dst, ErrTooLarge
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(t))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	return append(dst, payload...), nil
}

// Decoder reads frames from a stream that it does not trust. It keeps one
// buffer, grown to the largest frame seen and never past MaxPayload.
type Decoder struct {
	r      io.Reader
	header [headerSize]byte
	buf    []byte
}

// NewDecoder reads from r, which should be buffered.
func NewDecoder(r io.Reader) *Decoder { return &Decoder{r: r} }

// Next gives the next frame of a known type and skips all others. The error is
// io.EOF at a clean end between two frames, io.ErrUnexpectedEOF inside one,
// ErrTooLarge, or the reader's own.
func (d *Decoder) Next() (Frame, error) {
	for {
		if _, err := io.ReadFull(d.r, d.header[:]); err != nil {
			return Frame{}, err
		}
		t := Type(binary.BigEndian.Uint16(d.header[:2]))
		size := binary.BigEndian.Uint32(d.header[2:])
		if size > MaxPayload {
			return Frame{}, fmt.Errorf("cannot read frame of type %d: %w", t, ErrTooLarge)
		}
		if !t.known() {
			if _, err := io.CopyN(io.Discard, d.r, int64(size)); err != nil {
				return Frame{}, cutShort(err)
			}
			continue
		}
		if cap(d.buf) < int(size) {
			d.buf = make([]byte, size)
		}
		d.buf = d.buf[:size]
		if _, err := io.ReadFull(d.r, d.buf); err != nil {
			return Frame{}, cutShort(err)
		}
		return Frame{t, d.buf}, nil
	}
}

// cutShort turns an end inside a frame into io.ErrUnexpectedEOF.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
