// Package http2 decodes the two byte streams of one HTTP/2 connection (RFC 9113)
// into messages, as an observer: it describes and goes on where an endpoint
// would have to close the connection.
//
//	chunk ─► half (one a direction): preface │ frame header │ payload │ resync
//	             │ DATA streamed into bodies        │ everything else kept to its end
//	             ▼                                  ▼
//	          stream ◄── head, trailers ◄── hpack ◄─┤ HEADERS, PUSH_PROMISE, CONTINUATION
//	             │                                  └ SETTINGS, RST_STREAM, GOAWAY …
//	             ▼
//	          decode.Message
//
// What the fields of a message mean here beyond package decode:
//
//   - Exchange numbers follow the first frame seen of each stream.
//   - A stream that was reset before its response began yields a [decode.Response]
//     with Status 0 and the flags Reset and Incomplete, so that whoever pairs
//     messages by Exchange learns that nothing more will come. The same, without
//     Reset, when a stream is given up because of Limits.Streams.
//   - A request with method CONNECT is complete with its head. Whatever DATA
//     follows, and the DATA of a 2xx response to it, is counted and becomes one
//     Opaque message for each direction when that direction of the stream ends;
//     its Proto is the value of :protocol (RFC 8441), or "tunnel". The DATA of
//     :protocol websocket goes to package websocket instead, and its response has
//     the flag Continued.
//   - Pseudo-header fields that have no place in Message (:protocol, unknown ones,
//     repeated ones) stay in Header, because a field left out would be hidden.
//   - Cookie fields are joined with "; " at the place of the first (§8.2.3).
//   - Notices carry the Stream they concern. At most a few of each kind are given
//     for one connection, then they are counted.
//
// The package does not track flow control or priorities, leaves what is inside
// bodies to package tap, and does not find out which side is the client: package
// conn does.
package http2
