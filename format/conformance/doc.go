// Package conformance holds the tests that say what a reader of session files
// must do: it has no code of its own.
//
// The files are in testdata/conformance, each beside what it must be read as.
// They are put together here from FORMAT.md alone, not by the writer of package
// format, so that the two check each other; a third party is the reader in
// python that lives beside them. See testdata/conformance/README.md.
package conformance
