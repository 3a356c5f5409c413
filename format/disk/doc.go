// Package disk puts a session on a disk: the names of its files, when their
// bytes are made durable, and where one file ends and the next begins.
//
// A [Store] is the [io.Writer] that a format.Writer writes to, and the one that
// it asks for the next file of a rotated session:
//
//	format.Writer ─unit─► Store ─► Wrap (encryption) ─► File ─► the disk
//	              ─Full, Next─►  a-000000.spl.part ─► a-000000.spl, a-000001.spl.part …
//
// Each Write is one whole unit of the session: file header, chunk or footer. What
// a power failure can take is decided by [Sync]: with SyncChunk nothing of a unit
// whose Write has returned, with SyncInterval what came in the last second.
//
// It is the only package below format that opens files and looks at a clock, both
// through a seam, so that every fault of a disk is tried in tests. It knows
// nothing of what a unit holds and does not import format.
package disk
