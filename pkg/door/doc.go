// Package door runs the HTTP servers of the API on the sockets that systemd
// passed: bounded connections, headers and times, a count of what is in flight
// for the idle exit, and a drain that refuses no connection, because the
// sockets stay systemd's and queue whatever comes meanwhile. It knows nothing
// of routes.
package door
