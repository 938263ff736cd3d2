// Package home answers, as the bridge user, the four questions that need that
// user's uid: which claude is installed, whether it is logged in, which
// projects there are, and the facts of one. `clauster-api home` is the server,
// started by clauster-home.socket; the API is the client, which keeps answers
// for a few seconds.
//
// The server begins as root, reads the configuration, and becomes the bridge
// user for good before it looks at anything of that user's. Who asks can name a
// project and nothing else: no path, no user, no program. It shares its uid
// with the agents, who may kill or stop it; that costs one answer.
package home
