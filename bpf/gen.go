package bpf

// The object files and Go bindings are committed, so that building spliff needs
// nothing but Go. `make generate` makes them anew with Debian 12's clang 14 and
// libbpf headers; `make check-generated` proves that they are what it makes.
//
//go:generate go tool bpf2go -go-package bpf -target amd64,arm64 -type ev_kind -type ev_dir -type loss -type what -type how -type call_flags -type ev_hdr -type ev_data -type ev_conn -type ev_end -type ev_handshake -type ev_hello -type ev_proc -type ev_fork -type ev_exit -type counts -type conn -type conn_key -type go_key -type shared -type slot -type ring_sizes -type tuple Spliff spliff.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3
