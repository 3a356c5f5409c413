// Package websocket turns the bytes of an upgraded connection, or of one HTTP/2
// stream, into WebSocket messages (RFC 6455), compressed ones included (RFC 7692).
//
//	client ─► frames ─► unmask ─► join ─┬─► inflate ─► decode.Message, Kind Inner
//	server ─► frames ───────────► join ─┘   (one window a direction)
//
// It watches; it does not take part. Where an endpoint would fail the connection
// the package says what is wrong, chooses one reading and goes on:
//
//   - A frame masked by the wrong side is unmasked all the same (§5.1).
//   - Reserved bits and opcodes are reported (§5.2); a frame of a reserved opcode is
//     a message of its own.
//   - A control frame that is long or fragmented is read to its end (§5.5).
//   - A message that begins inside another ends that one (§5.4).
//   - Frames after a close frame are still frames (§5.5.1).
//
// A hole of known length inside a frame is stepped over. Any other loses the frame
// boundary: it is searched, by the chain of headers that begins there, and what is
// passed over is told as opaque bytes. With it goes the window of a direction that
// keeps one between messages: a message that refers to text from before the hole is
// then given as it was sent and marked, never guessed; one that does not is decoded.
//
// The package does not read the handshake's HTTP (package conn does, and passes on
// what it negotiated), knows no extension but permessage-deflate, and does not look
// into what the messages carry.
package websocket
