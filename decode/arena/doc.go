// Package arena is memory that many decoders take turns with, for messages of which
// nobody keeps anything.
//
//	decoder ─ Fields, Bytes ─► message ─► sink ─ Recycle ─► arena
//	decoder ─ String ────────► slab, left to the garbage collector
//	decoder ─ Lines ─────────► field lines that come again and again
//
// Traffic repeats itself: a browser sends nine of ten header lines with each request,
// a server likewise. A line that is known costs one comparison, whatever was to be
// looked for in it, and no memory. Lines are kept for all connections together, so
// what they take does not grow with the number of connections. Lines that follow each
// other again and again are a run, which costs one comparison for all of them.
//
// The package knows no protocol: what a line is, and what is remembered with it, is
// the decoder's to say. No method depends on what was decoded before in anything
// but speed.
package arena
