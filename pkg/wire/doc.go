// Package wire holds what goes over the API's sockets: the JSON objects and the
// closed list of error kinds. Server, client and clauster-ctl share it, so that
// an instance printed by `clauster-ctl status --json` and one answered by the
// API are the same object. Times are RFC 3339 in UTC, sizes bytes, durations
// seconds, ids UUIDv7; what is unknown is left out. Nothing in it does any work.
package wire
