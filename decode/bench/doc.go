// Command bench measures the decoders against their peers on the same bytes and
// prints one table, of CPU time on one core, not of wall time. See README.md
// next door in decode for a table and what it says.
//
// It is a module of its own: its peers are no dependencies of spliff, and one
// of them is a C program that it compiles. The corpus is real traffic between
// h2load and nginx, captured once and kept in a folder outside the repository;
// see capture.go. Where that cannot be had, generate.go writes traffic of the
// same shape, and the table says so.
//
// It does not measure recording, and gives no figure for a peer that is not installed.
package main
