package delivery

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"clauster/pkg/config"
)

// snippet gives the block of docs/deliveries.md in a language.
func snippet(t *testing.T, language string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "deliveries.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```"+language+"\n")
	code, _, end := strings.Cut(rest, "```")
	if !found || !end {
		t.Fatal("docs/deliveries.md has no snippet in", language)
	}
	return code
}

// TestSnippets runs the documented verifications on a real signature and on a
// body that was changed.
func TestSnippets(t *testing.T) {
	const secret, id, body = "whsec_MDEyMzQ1Njc4OWFiY2RlZg==", "01890a5d-ac96-774b-bcce-b302099a8057", `{"event":"crash","label":"é"}`
	now := strconv.FormatInt(time.Now().Unix(), 10)
	signature := sign(signingKey(secret), id, now, body)
	python := snippet(t, "python") + fmt.Sprintf(`
import sys
ok = genuine({"webhook-id": %q, "webhook-timestamp": %q, "webhook-signature": %q}, sys.stdin.buffer.read(), %q)
sys.exit(0 if ok else 9)`, id, now, signature, secret)
	shell := snippet(t, "sh") + fmt.Sprintf("SECRET=%s\ngenuine %s %s %s || exit 9", secret, id, now, signature)
	for _, program := range [][]string{{"python3", "-c", python}, {"sh", "-c", shell}} {
		path, err := exec.LookPath(program[0])
		if err != nil {
			t.Log(program[0], "is not installed")
			continue
		}
		if _, err := exec.LookPath("openssl"); err != nil && program[0] == "sh" {
			t.Log("openssl is not installed")
			continue
		}
		for text, want := range map[string]int{body: 0, body + " ": 9} {
			cmd := exec.Command(path, program[1:]...)
			cmd.Stdin = strings.NewReader(text)
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != want {
				t.Errorf("%s on %q: exit code %d, want %d: %s", program[0], text, got, want, out)
			}
		}
	}
}

// TestReservedAreSaidToBe: the page presented four events as working that
// nothing makes.
func TestReservedAreSaidToBe(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "deliveries.md"))
	if err != nil {
		t.Fatal(err)
	}
	posted, rest, _ := strings.Cut(string(page), "**Reserved**")
	reserved, _, _ := strings.Cut(rest, "### Headers")
	for _, e := range config.WebhookEvents() {
		if strings.Contains(reserved, "\n| `"+e.Name+"` |") != e.Reserved() || strings.Contains(posted, "`"+e.Name+"`") == e.Reserved() {
			t.Errorf("%s: reserved %v, the page says otherwise", e.Name, e.Reserved())
		}
	}
}
