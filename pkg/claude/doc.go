// Package claude holds everything Clauster knows about the claude CLI: the
// argv and environment it is started with, the markers of its debug file, the
// panes, prompts and failure texts of its terminal, and the files it keeps in
// its user's home. The facts are those of claude-cli.md and were established
// on 2.1.330 and earlier; a fact that a newer CLI breaks is mended here and
// nowhere else.
//
// Three rules. What claude prints is foreign text: every reader is bounded,
// and none believes a text that an agent could have put where it was found.
// Ids (env_, session_, cse_) are bearer-like: values of this package that hold
// one say so, and package redact takes them out before anything leaves the
// keeper. What touches the home directory runs as its owner, never as root.
//
// The keeper links this package and lives for months: no heavy imports.
package claude
