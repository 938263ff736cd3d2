package control

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func frame(t testing.TB, typ Type, payload string) []byte {
	t.Helper()
	b, err := AppendFrame(nil, typ, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecoderSkipsUnknownTypes(t *testing.T) {
	stream := bytes.Join([][]byte{
		frame(t, TypeHello, "{}"),
		frame(t, 9999, "from the future"),
		frame(t, TypeDetach, ""),
	}, nil)
	d := NewDecoder(bytes.NewReader(stream))
	for _, want := range []Type{TypeHello, TypeDetach} {
		f, err := d.Next()
		if err != nil || f.Type != want {
			t.Fatalf("got type %d, %v; want %d", f.Type, err, want)
		}
	}
	if _, err := d.Next(); err != io.EOF {
		t.Fatalf("at the end: %v, want io.EOF", err)
	}
}

func TestDecoderBounds(t *testing.T) {
	whole := frame(t, TypeOutput, string(make([]byte, MaxPayload)))
	if f, err := NewDecoder(bytes.NewReader(whole)).Next(); err != nil || len(f.Payload) != MaxPayload {
		t.Fatalf("largest frame: %d bytes, %v", len(f.Payload), err)
	}
	if _, err := AppendFrame(nil, TypeOutput, make([]byte, MaxPayload+1)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("encoding one byte more: %v", err)
	}
	for _, header := range [][]byte{
		{0, byte(TypeOutput), 0, 1, 0, 1},         // one byte more
		{0, byte(TypeOutput), 255, 255, 255, 255}, // 4 GiB
		{255, 255, 255, 255, 255, 255},            // of an unknown type: not worth skipping
	} {
		if _, err := NewDecoder(bytes.NewReader(header)).Next(); !errors.Is(err, ErrTooLarge) {
			t.Errorf("header % x: %v, want ErrTooLarge", header, err)
		}
	}
	for cut := 1; cut < headerSize+2; cut++ {
		short := frame(t, TypeInput, "ab")[:cut]
		if _, err := NewDecoder(bytes.NewReader(short)).Next(); err != io.ErrUnexpectedEOF {
			t.Errorf("cut after %d bytes: %v, want io.ErrUnexpectedEOF", cut, err)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(frame(f, TypeHello, `{"version":1,"min_version":1}`))
	f.Add(append(frame(f, 700, "x"), frame(f, TypeInput, "y")...))
	f.Add([]byte{0, 1, 0, 1, 0, 1})
	f.Fuzz(func(t *testing.T, stream []byte) {
		d := NewDecoder(bytes.NewReader(stream))
		for {
			fr, err := d.Next()
			if err != nil {
				break
			}
			if !fr.Type.known() || len(fr.Payload) > MaxPayload {
				t.Fatalf("type %d with %d bytes came through", fr.Type, len(fr.Payload))
			}
			again, err := AppendFrame(nil, fr.Type, fr.Payload)
			if err != nil || !bytes.Contains(stream, again) {
				t.Fatalf("frame of type %d does not encode to what was read: %v", fr.Type, err)
			}
			var h Hello
			var s State
			var a Attach
			var l Line
			_ = fr.Decode(&h) // must not panic
			_ = fr.Decode(&s)
			_ = fr.Decode(&a)
			_ = fr.Decode(&l)
		}
	})
}
