// Package content removes content codings from message bodies (RFC 9110 §8.4)
// and tells what a body is by its first bytes.
//
//	wire ─► last coding listed ─► … ─► first coding listed ─► content
//
// Decoding is streamed under a limit, whatever the codings: a bomb costs no
// more than the limit. A truncated or broken body yields what could be decoded
// and a word that says why it ended.
//
// It does not split bodies into parts, does not convert character sets, and
// does not remove chunked: the decoder that found the body has.
package content
