// Command bench measures the session format against bare zstd, which it cannot
// beat, and against MCAP, the container of recordings nearest to it. It prints
// one table, of CPU time, not of wall time.
//
// It is a module of its own: the peer is no dependency of spliff. The corpus is
// made from a seed and depends on nothing of the machine; see traffic.go. What
// makes the comparison a fair one stands in mcap.go.
package main
