package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Helpers of the tests in which the agent is the attacker: what they run is a
// child of the bridge, inside its scope, as the bridge user.

const attackerPath = "/usr/local/bin/attacker"

// needAttacker puts test/e2e/attacker into the machine.
func (b *bed) needAttacker() {
	b.t.Helper()
	if err := b.CopyIn(build(b.t, "attacker", "./test/e2e/attacker"), attackerPath, ""); err != nil {
		b.t.Fatal(err)
	}
}

// newAttack makes a project whose bridge runs a shell script as its child once
// it is ready. Its words $1 … are those given.
func (b *bed) newAttack(name, script string, keys map[string]string) {
	b.t.Helper()
	all := map[string]string{"attack": attackScript(name), "attack-out": attackOutput(name)}
	for k, v := range keys {
		all[k] = v
	}
	b.MustRun("rm", "-rf", "/home/op/projects/"+name) // what an earlier round has left
	b.newProject(name, all)
	b.MustWriteFile(attackScript(name), script, 0o755, "op")
}

func attackScript(name string) string { return "/home/op/projects/" + name + "/attack.sh" }
func attackOutput(name string) string { return "/home/op/projects/" + name + "/attack.out" }

// attackDone waits for the script's end and gives its output.
func (b *bed) attackDone(name string, patience time.Duration) string {
	b.t.Helper()
	out := attackOutput(name)
	if err := b.WaitFor("the end of the attack", patience, func() bool {
		_, err := b.ReadFile(out + ".rc")
		return err == nil
	}); err != nil {
		text, _ := b.ReadFile(out)
		b.t.Fatalf("%v; so far:\n%s", err, text)
	}
	return b.MustReadFile(out)
}

// gatePID is the reaper of an instance's bridge: the first process of its
// scope.
func (b *bed) gatePID(instance string) string {
	b.t.Helper()
	for _, pid := range b.bridgePIDs(instance) {
		if strings.Contains(b.MustSh(`tr '\0' ' ' <"/proc/$1/cmdline"`, pid), "clauster-keeper gate") {
			return pid
		}
	}
	b.t.Fatalf("no gate in the scope of %s", instance)
	return ""
}

// testdata gives a file of this package's testdata.
func testdata(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// goFile is a file that lets a waiting attack begin: what it needs to know of
// its own bridge exists only once that is up.
func goFile(name string) string { return "/home/op/projects/" + name + "/go" }

// letGo writes the words for a waiting attack.
func (b *bed) letGo(name string, words ...any) {
	b.t.Helper()
	b.MustWriteFile(goFile(name), fmt.Sprintln(words...), 0o644, "op")
}

// waiting wraps a script so that it waits for letGo and has its words.
func waiting(name, script string) string {
	return fmt.Sprintf("while [ ! -s %[1]s ]; do sleep 0.05; done\nset -- $(cat %[1]s)\n%[2]s", goFile(name), script)
}
