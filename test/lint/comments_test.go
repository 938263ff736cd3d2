package lint

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackageComments: every package says what it is for, in the form godoc
// shows; a package of tests says it in a test file.
func TestPackageComments(t *testing.T) {
	type pkg struct{ dir, name string }
	found := map[pkg]bool{}
	for _, f := range goFiles(t) {
		name := strings.TrimSuffix(f.ast.Name.Name, "_test")
		key := pkg{f.dir, name}
		if hasPackageComment(f, name) {
			found[key] = true
		} else if !found[key] {
			found[key] = false
		}
	}
	for key, ok := range found {
		if !ok {
			t.Errorf("%s: package %s has no package comment", key.dir, key.name)
		}
	}
}

// hasPackageComment accepts the two forms of Go's own commands for a program:
// "Command gofmt …" and "Gofmt …".
func hasPackageComment(f file, name string) bool {
	text := f.ast.Doc.Text()
	if name != "main" {
		return strings.HasPrefix(text, "Package "+name+" ")
	}
	program := filepath.Base(f.dir)
	return strings.HasPrefix(text, "Command "+program+" ") ||
		strings.HasPrefix(text, strings.ToUpper(program[:1])+program[1:]+" ")
}

// TestExportedComments: every exported name is explained. A group of constants
// or variables may be explained as a whole.
func TestExportedComments(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() || f.ast.Name.Name == "main" {
			continue
		}
		end := -1 // line on which the declaration before ends
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				// One-liners in a row share the comment above the first.
				inRow := end == f.line(d.Pos())-1
				if d.Name.IsExported() && d.Doc == nil && !inRow && exportedReceiver(d) && !wellKnown(d.Name.Name) {
					t.Errorf("%s: %s has no comment", f.at(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				checkGroup(t, f, d)
			}
			end = f.line(decl.End())
		}
	}
}

// wellKnown names methods whose meaning an interface of the standard library
// gives.
func wellKnown(name string) bool {
	switch name {
	case "Error", "String", "Unwrap", "Close", "Read", "Write", "Is", "Len", "Less", "Swap":
		return true
	}
	return false
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	receiver := d.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if index, ok := receiver.(*ast.IndexExpr); ok {
		receiver = index.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && name.IsExported()
}

func checkGroup(t *testing.T, f file, d *ast.GenDecl) {
	t.Helper()
	if d.Tok == token.IMPORT || d.Doc != nil {
		return
	}
	for _, spec := range d.Specs {
		var names []*ast.Ident
		var documented bool
		switch s := spec.(type) {
		case *ast.TypeSpec:
			names, documented = []*ast.Ident{s.Name}, s.Doc != nil
		case *ast.ValueSpec:
			names, documented = s.Names, s.Doc != nil || s.Comment != nil
		}
		for _, name := range names {
			if name.IsExported() && !documented {
				t.Errorf("%s: %s has no comment", f.at(name.Pos()), name.Name)
			}
		}
	}
}
