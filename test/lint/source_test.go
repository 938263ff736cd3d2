package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "clauster"

// repository is the root of the source tree.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

// file is one parsed Go file.
type file struct {
	path string // below the repository
	dir  string // package directory below the repository
	ast  *ast.File
	set  *token.FileSet
}

func (f file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f file) line(pos token.Pos) int { return f.set.Position(pos).Line }

func (f file) at(pos token.Pos) string { return f.path + ":" + strconv.Itoa(f.line(pos)) }

// imports lists the file's imports.
func (f file) imports() []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, path)
	}
	return paths
}

// goFiles parses every Go file of the repository.
func goFiles(t *testing.T) []file {
	t.Helper()
	root := repository(t)
	var files []file
	for _, path := range walk(t, func(name string) bool { return strings.HasSuffix(name, ".go") }) {
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, filepath.Join(root, path), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{path, filepath.Dir(path), parsed, set})
	}
	return files
}

// walk lists the files below the repository that keep accepts, without build/,
// testdata/ and hidden directories.
func walk(t *testing.T, keep func(name string) bool) []string {
	t.Helper()
	root := repository(t)
	var paths []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (name == "build" || name == "testdata" || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if !d.IsDir() && keep(name) {
			below, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			paths = append(paths, below)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// read returns a file of the repository as text.
func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository(t), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
