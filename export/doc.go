// Package export turns the engine's items into something others read: the
// text of the live view, the table of show, JSON lines, the detail of one
// exchange. Package export/pcapng, beside it, writes packets.
//
// Every byte a traced program or its peer chose goes through one sanitizer on
// its way to a screen (see screen): only printable Unicode passes, the rest
// becomes visible escapes. JSON output is escaped by JSON's own rules instead
// and stays reversible to the bytes.
//
// The package opens no files, knows no terminals (the caller says how wide, in
// colour or not, ASCII or not) and decodes nothing.
package export
