package lint

import (
	"go/ast"
	"strings"
	"testing"
)

// TestNoInit: what runs before main cannot be tested, ordered or left out.
func TestNoInit(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, decl := range f.ast.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
				t.Errorf("%s: func init", f.at(d.Pos()))
			}
		}
	}
}

// TestNoExitOutsideMain: a library returns errors; only main knows exit codes.
func TestNoExitOutsideMain(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.ast.Name.Name == "main" || f.isTest() {
			continue
		}
		calls(f, func(pkg, name string, at string) {
			if pkg == "os" && name == "Exit" || pkg == "log" && strings.HasPrefix(name, "Fatal") {
				t.Errorf("%s: %s.%s outside main", at, pkg, name)
			}
		})
	}
}

// TestNoSleepInTests: a test that sleeps is slow on a fast machine and fails
// on a slow one. Wait for the condition instead.
func TestNoSleepInTests(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.isTest() {
			continue
		}
		calls(f, func(pkg, name string, at string) {
			if pkg == "time" && name == "Sleep" {
				t.Errorf("%s: time.Sleep in a test", at)
			}
		})
	}
}

// TestNoTODOContext: a call to systemd without a deadline hangs a keeper.
func TestNoTODOContext(t *testing.T) {
	for _, f := range goFiles(t) {
		calls(f, func(pkg, name string, at string) {
			if pkg == "context" && name == "TODO" {
				t.Errorf("%s: context.TODO", at)
			}
		})
	}
}

// TestPackageNames: a name that says nothing attracts everything.
func TestPackageNames(t *testing.T) {
	for _, f := range goFiles(t) {
		switch strings.TrimSuffix(f.ast.Name.Name, "_test") {
		case "util", "utils", "common", "helpers", "misc", "shared":
			t.Errorf("%s: package %s", f.path, f.ast.Name.Name)
		}
	}
}

// calls visits every call of the form pkg.Name(…).
func calls(f file, visit func(pkg, name, at string)) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok {
				visit(pkg.Name, sel.Sel.Name, f.at(call.Pos()))
			}
		}
		return true
	})
}
