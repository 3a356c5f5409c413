// Package format is the session file of spliff: the events of a recording, how
// they are written, and how they are read again, whole or damaged. FORMAT.md in
// this folder is the normative text.
//
// A file is a sequence of zstd frames, so the stock tool reads it too:
//
//	+------+ +------+-----------+ +------+-----------+
//	| SPLF | | SPLC | zstd      | | SPLC | zstd      | …
//	| who, | | what | SESSION   | | what | CONN (r)  |
//	| when | | is   | PROC      | | is   | DATA      |
//	|      | | in   | CONN DATA | | in   | DROP      |
//	+------+ +------+-----------+ +------+-----------+
//	 skippable frames ↑    ↑ 1 MiB of events each, self-contained
//
// An event is 32 bytes, some fields of its type, and a payload:
//
//	0       4    5    6     8            16    20    24     28   30  31   32
//	+-------+----+----+-----+------------+-----+-----+------+----+---+----+- - -
//	| len   |type|hlen|flags| time       | conn| tid |seq_lo|cpu |dir|prob| payload, padded to 8
//	+-------+----+----+-----+------------+-----+-----+------+----+---+----+- - -
//	                                DATA: u64 offset, u32 dur, u32 0 come first
//
// [Writer] and [Reader] neither seek nor open files: they work on pipes. Neither
// allocates per event.
//
// The package does not interpret payload bytes, knows no HTTP, keeps no clock,
// and starts goroutines only when WriterOptions.Workers asks for them. What can be
// read anywhere is opened as a [File], by its footers; [Inspect] proves a session,
// and a [Copier] writes one again, all of it or a part.
package format
