// Package record turns running processes into a stream of events: it finds TLS
// libraries, hooks them with the programs of package bpf, and drains what they
// copy into events of package format, in one total order.
//
//	Open ─► targets, sites ─► attach ─┐
//	                                  ├─► ring ─► translator ─► Sink
//	Run  ─► drain ────────────────────┘
//
// It does not decode anything, writes no file and prints nothing: a [Sink] does.
// It works on Linux only; elsewhere [Open] returns [ErrNotSupported].
package record
