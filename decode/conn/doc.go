// Package conn decodes one connection without being told what it speaks or
// which side of it was recorded.
//
//	first bytes of both directions ─► verdict ─┬─► http1 ─┬─(Upgrade: h2c)─► http2
//	(held back, at most 64 KiB)                │          ├─(Upgrade: websocket)─► websocket
//	                                           │          └─(CONNECT)─► conn, for the tunnel
//	                                           ├─► http2
//	                                           └─► Opaque "unknown"
//
// What decides, in this order: HTTP/2's client preface; a SETTINGS frame in
// front; a request line; a status line. Each is found by a fixed prefix of one
// direction, so it makes no difference how bytes are cut, and each tells the
// role. Hints only count where the bytes are silent: in a connection joined
// late, or one whose handshake said "h2".
//
// A connection of unknown protocol is watched on: when one side begins to speak
// after the other, and begins with an HTTP/1 start line or an HTTP/2 preface, it
// is decoded from there.
//
// What runs inside a CONNECT tunnel is looked at as a connection of its own; its
// exchanges are numbered after those around it, and what is not HTTP there is
// Opaque "tunnel". After an upgrade to h2c the 101 is an interim response of the
// answer that comes on stream 1, so that the upgrade's request has one answer.
//
// The package does not decode anything itself, and does not know TLS or the PROXY
// protocol. A WebSocket connection whose handshake was not seen stays unknown.
package conn
