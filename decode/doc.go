// Package decode is the vocabulary of the decoders: what goes in, what comes
// out, and what bounds them. The decoders are its subpackages.
//
//	decode.Chunk, decode.Gap ─► conn ─┬─► http1 ─┬────────┬─► decode.Message
//	  (one connection,                │    └─► websocket ─┤     request, response,
//	   both directions,               └─► http2 ─┤        │     message inside them,
//	   in event order)                  └─ hpack │        │     opaque bytes, notice
//	                                             └─► content: codings removed
//
// Bodies that hold messages of their own, gRPC's and server-sent events, are read
// by package tap as they come, each of which is a message of Kind [Inner].
//
// A decoder is a function of its state and the next chunk. It reads no clock
// and no file, starts no goroutine and writes no log: the same bytes give the
// same messages, however they are cut into chunks, live or from a file. It
// returns no error either. A passive reader cannot refuse bytes: it describes
// what it saw, marks it with an [Anomaly], and goes on.
//
// The package does not find out which bytes belong to one connection, does not
// order events, and does not pair what different connections say; package
// replay does.
package decode
