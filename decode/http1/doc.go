// Package http1 turns the two byte streams of an HTTP/1 connection into
// messages, following RFC 9110 and RFC 9112.
//
//	requests  ─► head ─► body ─► trailer ─┐   queue of unanswered requests
//	                                      ├─►  (pairs them, in order)  ─► []decode.Message
//	responses ─► head ─► body ─► trailer ─┘
//
// It watches; it does not take part. Where a server would answer 400 and close,
// this package chooses one reading, says so with an anomaly, and goes on. The
// choices, each the preference of RFC 9112 where it has one:
//
//   - Transfer-Encoding beats Content-Length (§6.3); both are reported.
//   - A Content-Length that is not one number, or a request whose
//     Transfer-Encoding does not end in chunked, leaves the body without an end:
//     the message is given up and the next start line looked for.
//   - A response whose Transfer-Encoding does not end in chunked, or that has no
//     length, lasts until the connection closes (§6.3).
//   - Equal repeated Content-Length values count as one (§6.3).
//   - A bare LF ends a line (§2.2); a bare CR is part of it.
//   - Of such a response the chunks are joined if it is chunked from its first byte to
//     its last, and its head says so in some way that is not the proper one.
//   - A chunk-size with other bytes around it is read, if it can be read one way.
//   - A first line that begins with HTTP/ is a response's, its status 0 if it has none
//     of three digits. What answers a request without a version may have no head.
//   - White space before the colon is not part of the name (§5.1), and the
//     field keeps its meaning.
//   - A folded line is joined to its field by one space (§5.2); lines that begin
//     with white space before the first field are dropped (§2.2).
//   - A 101, and a 2xx to CONNECT, end HTTP on the connection. Bytes that follow
//     a request that asks for either wait for the answer.
//
// Bytes that are no message are reported as a [decode.Opaque] message; the next
// message then carries [decode.AnomalyResync]: its start is a guess.
//
// The package does not undo content codings (package content does), does not
// decode what runs inside a tunnel, and does not decide whether a connection
// speaks HTTP at all (package conn does).
package http1
