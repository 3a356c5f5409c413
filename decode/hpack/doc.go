// Package hpack turns HPACK header blocks (RFC 7541) into fields, for an
// observer that may have come late.
//
// An endpoint that loses HPACK state must close the connection. An observer
// cannot: it has to say what it still knows and never show a wrong value. Two
// facts make that possible:
//
//   - A dynamic index counts from the newest entry (RFC 7541 §2.3.3). Whatever
//     the observer missed is older than all it has seen inserted, so an index
//     that falls within the entries seen is exact, and one beyond them means an
//     entry that was never seen: it becomes [Unknown].
//   - The encoder evicts the oldest entry first. An observer that does not know
//     the encoder's table size may therefore keep entries for too long, but a
//     correct encoder never refers to those, and keeping them moves no index.
//
// Missing one insertion, however, shifts every index. Hence [Decoder.Forget]:
// after a block that was lost or did not decode, all entries become unknown.
//
// The package does not join CONTINUATION frames, validate names or values, or
// know pseudo-header fields: package http2 does. There is no encoder.
package hpack
