// Package project finds the projects, which are the directories directly below
// projects_root, and reads the facts about one: git, trust, claude's files. It
// runs as the bridge user, who owns what it reads: no link, pipe or endless
// file in a project leads it anywhere else or holds it up, and everything is
// bounded.
package project
