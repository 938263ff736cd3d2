package wire

import (
	"bytes"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReceiveFindsBack(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`{"Kind":"stdout","ID":7,"Da`) // its sender lost power
	w := NewWriter(&b)
	want := []Message{{Kind: Hello, Boot: "b"}, {Kind: Stdout, ID: 1, Data: []byte("a\nb\x00")}}
	for _, m := range want {
		if err := w.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	b.Write(bytes.Repeat([]byte{'x'}, 3*maxLine))
	if err := w.Send(want[0]); err != nil {
		t.Fatal(err)
	}
	var got []Message
	err := Receive(&b, func(m Message) { got = append(got, m) })
	if diff := cmp.Diff(append(want, want[0]), got); diff != "" || err != io.EOF {
		t.Errorf("err %v, messages (-want +got):\n%s", err, diff)
	}
}
