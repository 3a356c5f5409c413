// Package content removes content codings from message bodies (RFC 9110 §8.4)
// and tells what a body is by its first bytes.
//
//	wire ─► last coding listed ─► … ─► first coding listed ─► content
//
// Decoding is streamed under a limit, whatever the codings: a bomb costs no
// more than the limit. A truncated or broken body yields what could be decoded
// and a word that says why it ended.
//
// [Text] turns text in other character sets into UTF-8, and [Sum] hashes a body as
// it passes. The package does not split bodies into parts, and does not remove
// chunked: the decoder that found the body has.
package content
