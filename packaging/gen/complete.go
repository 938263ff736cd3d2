package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// completions makes the three shells' completion files.
func completions(root *cobra.Command) (map[string][]byte, error) {
	name := root.Name()
	makers := map[string]func(io.Writer) error{
		name + ".bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		name + ".fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
		"_" + name:     root.GenZshCompletion,
	}
	files := map[string][]byte{}
	for file, write := range makers {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return nil, fmt.Errorf("cannot make completion %s: %w", file, err)
		}
		files["completions/"+file] = b.Bytes()
	}
	return files, nil
}
