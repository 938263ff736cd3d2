// Package control is the keeper's control protocol: the frames that cross
// keeper.sock, the server's side of the socket, and a client.
//
// A connection is a stream of frames: a type (uint16), a payload length
// (uint32), both big-endian, and at most MaxPayload bytes. Both sides begin
// with a Hello; a frame of an unknown type is skipped, so that later versions
// can add types without breaking older peers. Output and Input carry raw
// terminal bytes, every other payload is a JSON object whose unknown keys are
// ignored.
//
// Who may connect is decided by the socket (root:clauster, 0660); what else a
// peer may ask is decided by its credentials (Conn.Peer). A client checks the
// keeper in turn: whoever listens must be the unit's MainPID, so that an agent
// that found a way to bind the path would still not be believed.
//
// The keeper links this package and lives for months: nothing here buffers
// more than one frame per direction, or one bundle of lines for a watcher.
package control
