// Package grpc finds the messages in the body of a gRPC request or response
// while the body is still coming.
//
//	body ─┬─► (base64 of grpc-web-text) ─► flag, length ─► message ─► decode.Inner
//	      │                                     └─ 0x80: trailer fields of gRPC-Web
//	gap  ─┘   stepped over inside a message, else the framing is lost
//
// Framing is that of "gRPC over HTTP2" (Length-Prefixed-Message) and of its
// gRPC-Web form. Messages stay as they were sent: one that is compressed says so
// in Body.Codings, and package content removes it.
//
// [View] writes a protobuf message as text without its schema, and [StatusOf]
// reads the result of a call.
//
// The package holds at most the message in hand, under a limit. It does not parse
// HTTP, needs no .proto file, and does not look for the framing again once lost.
package grpc
