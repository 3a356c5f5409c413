// Package replay turns the events of a session, in their order, into HTTP
// exchanges, the same way live and from a file.
//
// It owns everything that depends on order: which connection and process an
// event belongs to, where bytes are missing, wall-clock time, the pairing of
// requests with responses, and the merge that makes the output independent of
// the number of workers.
//
//	Push ─► tables (conn, proc) ─► op ─► batch ─┬─► lane 0 ─┐
//	        gaps, overlaps, ends                 └─► lane N ─┴─► merge ─► sink
//
// One goroutine, the caller's, reads events and turns each into ops: steps for
// one connection. Ops are numbered by their place in the batch, worked off by
// connection, by whichever goroutine is free, that one too, and their results
// leave in the order of the ops. What the sink sees is therefore a function of the events alone.
//
// Memory is bounded by events too: connections that have been silent for too long
// are told so, and when more is held of bodies than the budget allows, those that
// hold most lose theirs. Both are decided by the goroutine that pushes, so neither
// depends on the workers.
//
// [Heads] uses the same engine to tell message heads from content.
//
// The package does not parse HTTP (package decode does), does not read or write
// files, does not render, and never looks at a clock: every time it passes on
// is the time of an event.
package replay
