package home

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"testing"

	"clauster/pkg/project"
)

// TestFrame: there and back, and what is no frame.
func TestFrame(t *testing.T) {
	want := Answer{Version: 1, Projects: &Projects{Root: "/p", Projects: []project.Facts{{Name: "a", Git: true}}}}
	var b bytes.Buffer
	if err := WriteFrame(&b, want, MaxAnswer); err != nil {
		t.Fatal(err)
	}
	var got Answer
	if err := ReadFrame(bytes.NewReader(b.Bytes()), &got, MaxAnswer); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
	if err := ReadFrame(bytes.NewReader(b.Bytes()[:b.Len()-1]), &got, MaxAnswer); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut short: %v", err)
	}
	if err := ReadFrame(bytes.NewReader(b.Bytes()), &got, 10); !errors.Is(err, errTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if err := WriteFrame(io.Discard, want, 10); !errors.Is(err, errTooLarge) {
		t.Errorf("too large to write: %v", err)
	}
	// A length without the bytes takes no memory and ends.
	if err := ReadFrame(bytes.NewReader(binary.BigEndian.AppendUint32(nil, MaxAnswer)), &got, MaxAnswer); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("empty: %v", err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"version":1,"min_version":1,"call":"project","project":"a"}`))
	f.Add([]byte(`{"call":"` + "\x00" + `"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
		var r Request
		if err := ReadFrame(bytes.NewReader(frame), &r, MaxRequest); err != nil {
			return
		}
		s := Server{Facts: refuser{}}
		if a := s.answer(t.Context(), r); a.Error == nil && a.Claude == nil && a.Auth == nil && a.Projects == nil && a.Project == nil {
			t.Errorf("%q is answered with nothing", body)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02{}"))
	f.Fuzz(func(_ *testing.T, frame []byte) {
		var a Answer
		_ = ReadFrame(bytes.NewReader(frame), &a, MaxAnswer)
	})
}
