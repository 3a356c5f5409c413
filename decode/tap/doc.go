// Package tap reads the bodies of messages as they arrive, where there are
// messages inside them: gRPC, and server-sent events.
//
//	http1, http2 ─ head complete ─► Open ─┬─► nil: the usual body, no cost
//	                                      └─► Tap ◄─ Append, Gap, End ─ body bytes
//	                                           └─► decode.Inner messages, at once
//
// The HTTP decoders open a tap when a body begins, give it each piece before they
// forget it, and tell it of missing bytes and of the end. So what is inside a
// response is known while the response is still open, and nobody holds a body
// for it. Content codings are removed on the way (package content's Stream); behind
// missing bytes they cannot be, and that is told.
//
// The package does not read the messages itself; packages grpc and sse do.
package tap
