package gate

import (
	"os"
	"strings"
	"testing"
)

func TestReadStory(t *testing.T) {
	s, err := ReadStory([]byte(`{"warning":"a"}` + "\n" + `{"started":{"pid":7,"version":"2.1.330","dir":"/p"}}` + "\n" +
		`{"warning":"b"}` + "\n" + `{"ended":{"known":true,"code":-1,"signal":"SIGKILL","oom_kills":2}}` + "\n" + `{"war`))
	if err != nil || len(s.Warnings) != 2 || s.Started.PID != 7 || s.Ended.Signal != "SIGKILL" || s.Ended.OOM != 2 || s.Refused != nil {
		t.Fatalf("%+v, %v", s, err)
	}
}

func FuzzReadStory(f *testing.F) {
	f.Add([]byte(`{"refused":{"name":"untrusted","reason":"x"}}` + "\n"))
	f.Add([]byte("{}\n\x00\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := ReadStory(data); err == nil && len(s.Warnings) > len(data) {
			t.Fatal("more warnings than bytes")
		}
	})
}

// An order counts only when it is whole: a keeper that died while writing it
// must not launch anything.
func TestHalfAnOrderIsNone(t *testing.T) {
	const whole = `{"version":1,"kind":"bridge","transport":"terminal","instance":"blog"}` + "\n"
	for text, want := range map[string]bool{
		whole: true, whole[:len(whole)-1]: false, "": false, "{}\n": false, "nonsense\n": false,
		strings.Replace(whole, `"bridge"`, `"task"`, 1): false,
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if o, err := readOrder(r); (err == nil) != want || want && o.Instance != "blog" {
			t.Errorf("%q: %+v, %v", text, o, err)
		}
	}
}

// The project directory itself may not be a link: it would lead to another
// directory under this project's name and ceiling.
func TestEnter(t *testing.T) {
	back, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chdir(back) })
	root := t.TempDir()
	for _, err := range []error{os.Mkdir(root+"/blog", 0o755), os.Symlink("blog", root+"/link"), os.WriteFile(root+"/file", nil, 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for project, want := range map[string]string{"blog": "", "link": "project-outside", "file": "project-outside", "none": "project-missing"} {
		dir, cause := enter(root, project)
		switch {
		case want == "" && (cause != nil || dir != root+"/blog"):
			t.Errorf("%s: %q, %+v", project, dir, cause)
		case want != "" && (cause == nil || cause.Name != want):
			t.Errorf("%s: %+v", project, cause)
		}
	}
}
