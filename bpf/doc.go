// Package bpf is the kernel side of spliff: the programs that copy plaintext at
// the edge of a TLS library, and the layout of what they hand to user space.
//
// The C sources compile into one object per architecture, which is committed
// together with its generated bindings. Package record is the only importer:
// it loads the object, attaches the programs and drains the ring.
//
//	uprobe, uretprobe ─► call_enter, call_return ─┐
//	uprobe            ─► session_touch, new_*     ├─► conns, tasks ─► ring
//	tracepoints       ─► sock_*, forked, execed,  │
//	                     exited, files_mapped ────┘
//
// The package contains no policy (which process, which function: record sets
// that in maps and attach cookies) and parses nothing.
package bpf
