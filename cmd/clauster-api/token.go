package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"clauster/pkg/auth"
	"clauster/pkg/store"
	"clauster/pkg/wire"

	"github.com/google/uuid"
)

// tokenHelp is where the words of token are explained.
const tokenHelp = "clauster-ctl token --help"

// maxTokenLife bounds --expires: a typing error must not make a token for ever.
const maxTokenLife = 3650 * 24 * time.Hour

// shownToken is a token as it is printed; Token is set once, when it is made.
type shownToken struct {
	ID      string    `json:"id"`
	Label   string    `json:"label"`
	Scope   string    `json:"scope"`
	State   string    `json:"state"` // live, expired, revoked
	Created wire.Time `json:"created"`
	Expires wire.Time `json:"expires,omitzero"`
	Used    wire.Time `json:"last_used,omitzero"`
	Token   string    `json:"token,omitempty"`
}

// tokenWord is `token issue|list|rotate|revoke`: what makes and ends API
// tokens, on the host and never over HTTP.
func tokenWord(ctx context.Context, w world, args []string) error {
	if len(args) == 0 {
		return &exitError{exitUsage, errors.New("cannot do anything about tokens: it wants one of issue, list, rotate, revoke"), tokenHelp}
	}
	c := tokenCommand{world: w, now: time.Now()}
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&c.asJSON, "json", false, "")
	flags.StringVar(&c.scope, "scope", "", "")
	flags.StringVar(&c.expires, "expires", "", "")
	names, err := parseMixed(flags, args[1:])
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("cannot understand the command line: %w", err), tokenHelp}
	}
	run, wants := map[string]func(context.Context, *store.Store, string) error{
		"issue": c.issue, "list": c.list, "rotate": c.rotate, "revoke": c.revoke}[args[0]], 1
	if args[0] == "list" {
		wants = 0
	}
	if run == nil || len(names) != wants {
		return &exitError{exitUsage, fmt.Errorf("cannot understand token %s", strings.Join(args, " ")), tokenHelp}
	}
	name := strings.Join(names, "")
	if err := c.check(args[0], name); err != nil {
		return &exitError{exitUsage, err, tokenHelp}
	}
	s, err := w.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return explained(run(ctx, s, name), name)
}

// parseMixed parses flags before and behind the names.
func parseMixed(flags *flag.FlagSet, args []string) (names []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		args = flags.Args()
		if len(args) == 0 {
			return names, nil
		}
		names, args = append(names, args[0]), args[1:]
	}
}

type tokenCommand struct {
	world
	now            time.Time
	asJSON         bool
	scope, expires string
	life           time.Duration
}

// check judges the command line before the database is opened.
func (c *tokenCommand) check(word, name string) error {
	var err error
	switch {
	case word == "issue":
		if c.scope == "" {
			c.scope = string(auth.ScopeRead)
		}
		err = checkLabel(name)
	case word == "rotate":
	case c.expires != "":
		return fmt.Errorf("cannot use --expires with token %s", word)
	}
	if word != "issue" && c.scope != "" {
		return fmt.Errorf("cannot use --scope with token %s", word)
	}
	if word == "issue" && c.scope != string(auth.ScopeRead) && c.scope != string(auth.ScopeWrite) {
		return fmt.Errorf("cannot give the scope %q: it is read or write", c.scope)
	}
	if err == nil && c.expires != "" {
		c.life, err = parseLife(c.expires)
	}
	return err
}

func checkLabel(label string) error {
	if label == "" || len(label) > 64 || !utf8.ValidString(label) || strings.TrimSpace(label) != label || strings.HasPrefix(label, "-") ||
		strings.ContainsFunc(label, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("cannot use the label %q: it must be printable text of at most 64 bytes", label)
	}
	return nil
}

// parseLife reads 90d, 12h, 30m.
func parseLife(text string) (time.Duration, error) {
	bad := fmt.Errorf("cannot use --expires %q: write days, hours or minutes, such as 90d or 12h, at most 3650d", text)
	if text == "" {
		return 0, bad
	}
	unit, ok := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute}[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 31)
	if !ok || err != nil || n == 0 || time.Duration(n) > maxTokenLife/unit {
		return 0, bad
	}
	return time.Duration(n) * unit, nil
}

// mint makes a token that is stored by its hash alone.
func (c *tokenCommand) mint(label, scope string) (n store.Token, text string, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return n, "", fmt.Errorf("cannot make an id: %w", err)
	}
	n = store.Token{ID: id.String(), Label: label, Scope: scope, Created: c.now}
	if c.life > 0 {
		n.Expires = c.now.Add(c.life)
	}
	return n, auth.NewToken(auth.TokenPrefix), nil
}

func (c *tokenCommand) issue(ctx context.Context, s *store.Store, label string) error {
	n, text, err := c.mint(label, c.scope)
	if err != nil {
		return err
	}
	if err := s.AddToken(ctx, n, auth.HashToken(text)); err != nil {
		return fmt.Errorf("cannot issue the token %s: %w", label, err)
	}
	return c.printNew(n, text)
}

// rotate keeps label and scope, and the length of its life unless told.
func (c *tokenCommand) rotate(ctx context.Context, s *store.Store, name string) error {
	old, err := s.TokenNamed(ctx, name, c.now)
	if err != nil {
		return err
	}
	if c.life == 0 && !old.Expires.IsZero() {
		c.life = old.Expires.Sub(old.Created)
	}
	n, text, err := c.mint(old.Label, old.Scope)
	if err != nil {
		return err
	}
	if err := s.RotateToken(ctx, old.ID, n, auth.HashToken(text)); err != nil {
		return err
	}
	return c.printNew(n, text)
}

func (c *tokenCommand) revoke(ctx context.Context, s *store.Store, name string) error {
	old, err := s.TokenNamed(ctx, name, c.now)
	if err != nil {
		return err
	}
	if err := s.RevokeToken(ctx, old.ID, c.now); err != nil {
		return err
	}
	old.Revoked = c.now
	if c.asJSON {
		return c.printJSON(c.shown(old, ""))
	}
	fmt.Fprintf(c.stderr, "revoked %s (%s): it opens nothing any more\n", old.Label, old.ID)
	return nil
}

func (c *tokenCommand) list(ctx context.Context, s *store.Store, _ string) error {
	all, err := s.Tokens(ctx)
	if err != nil {
		return err
	}
	shown := make([]shownToken, len(all))
	for i, t := range all {
		shown[i] = c.shown(t, "")
	}
	if c.asJSON {
		return c.printJSON(shown)
	}
	if len(all) == 0 {
		fmt.Fprintln(c.stderr, "no tokens: clauster-ctl token issue LABEL makes one")
		return nil
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tLABEL\tSCOPE\tSTATE\tCREATED\tEXPIRES\tLAST USED")
	for _, n := range shown {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n.ID, n.Label, n.Scope, n.State, minute(n.Created.Time), minute(n.Expires.Time), minute(n.Used.Time))
	}
	return t.Flush()
}

func minute(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func (c *tokenCommand) shown(t store.Token, text string) shownToken {
	state := "live"
	switch {
	case !t.Revoked.IsZero():
		state = "revoked"
	case !t.Live(c.now):
		state = "expired"
	}
	return shownToken{ID: t.ID, Label: t.Label, Scope: t.Scope, State: state,
		Created: wire.Time{Time: t.Created}, Expires: wire.Time{Time: t.Expires}, Used: wire.Time{Time: t.Used}, Token: text}
}

// printNew prints the token on stdout, once, so that it can be piped to where
// it belongs; what is to be known of it is talk.
func (c *tokenCommand) printNew(n store.Token, text string) error {
	if c.asJSON {
		return c.printJSON(c.shown(n, text))
	}
	fmt.Fprintf(c.stderr, "token %s, id %s, scope %s, expires: %s\nIt is shown this once; only its hash is kept.\n", n.Label, n.ID, n.Scope, minute(n.Expires))
	_, err := fmt.Fprintln(c.stdout, text)
	return err
}

func (c *tokenCommand) printJSON(v any) error {
	e := json.NewEncoder(c.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// explained gives the store's refusals their exit code and repair.
func explained(err error, name string) error {
	switch {
	case errors.Is(err, store.ErrNoToken):
		return &exitError{exitNotFound, fmt.Errorf("cannot find a living token %q", name), "clauster-ctl token list"}
	case errors.Is(err, store.ErrTokenLabel):
		return &exitError{exitFailed, err, "clauster-ctl token rotate " + name + " replaces it"}
	case errors.Is(err, store.ErrTokensFull):
		return &exitError{exitFailed, err, "clauster-ctl token revoke ID"}
	}
	return err
}
