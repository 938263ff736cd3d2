package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"clauster/pkg/auth"

	"golang.org/x/term"
)

// maxPasswordLine bounds what is read as a password, in bytes.
const maxPasswordLine = 4096

// hashPassword is `hash-password`: reads a password from the terminal without
// echo, or a line from a pipe, and prints its hash.
func hashPassword(ctx context.Context, w world, args []string) error {
	if len(args) > 0 {
		return &exitError{exitUsage, errors.New("cannot take a password from the command line: other users can see it there"), "clauster-ctl hash-password asks for it"}
	}
	password, err := w.readPassword(ctx)
	if err != nil {
		return err
	}
	hash, err := auth.HashPassword(password)
	if err != nil {
		return &exitError{exitUsage, err, ""}
	}
	fmt.Fprintln(w.stderr, "Put it into clauster.toml below [auth], with password_required = true and enabled = true:")
	_, err = fmt.Fprintln(w.stdout, hash)
	return err
}

func (w world) readPassword(ctx context.Context) (string, error) {
	f, ok := w.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(w.stdin, maxPasswordLine)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	first, err := w.ask(ctx, f, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := w.ask(ctx, f, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", &exitError{exitUsage, errors.New("cannot take this password: the two were not the same"), ""}
	}
	return first, nil
}

// ask reads a line without echo. An interrupt gives the terminal its echo
// back: the read itself cannot be ended, and its goroutine ends with us.
func (w world) ask(ctx context.Context, f *os.File, prompt string) (string, error) {
	fd := int(f.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	fmt.Fprint(w.stderr, prompt)
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- line{text, err}
	}()
	select {
	case got := <-read:
		fmt.Fprintln(w.stderr)
		if got.err != nil {
			return "", fmt.Errorf("cannot read the password: %w", got.err)
		}
		return string(got.text), nil
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		fmt.Fprintln(w.stderr)
		return "", errors.New("cannot read the password: interrupted")
	}
}

// hashMetricsToken is `hash-metrics-token`: makes a scrape token and prints it
// with its hash.
func hashMetricsToken(_ context.Context, w world, args []string) error {
	asJSON := len(args) == 1 && args[0] == "--json"
	if len(args) > 0 && !asJSON {
		return &exitError{exitUsage, errors.New("cannot understand the command line: it takes --json at most"), "clauster-ctl hash-metrics-token --help"}
	}
	token := auth.NewToken(auth.ScrapeTokenPrefix)
	if asJSON {
		return json.NewEncoder(w.stdout).Encode(map[string]string{"token": token, "metrics_token_hash": auth.HashToken(token)})
	}
	fmt.Fprintf(w.stderr, "The token goes to the scraper and is shown this once; its hash into clauster.toml:\n\n[observability]\nmetrics_token_hash = %q\n\n", auth.HashToken(token))
	_, err := fmt.Fprintln(w.stdout, token)
	return err
}
