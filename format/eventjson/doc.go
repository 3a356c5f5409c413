// Package eventjson is the text form of a session: one event a line, as JSON. A
// fixture can be written by hand, read in review and edited; the way from a
// session to text and back is exact.
//
// # Events
//
// A line is an event of the session file; names and values are those of
// FORMAT.md, and zero values are left out, but for seq and type.
//
//	{"seq":5,"time":123,"type":"data","conn":1,"dir":"write","dur":7,"text":"GET / HTTP/1.1\r\n\r\n"}
//	{"seq":6,"time":150,"type":"conn_end","conn":1,"payload":{"reason":"free","written":18}}
//
//	seq, time, conn, tid, cpu, probe, flags    numbers
//	type    data, conn, conn_end, proc, proc_end, drop, clock, session, probe,
//	        keylog, attach, mark, tick, end, handshake, unwatched, or a number
//	dir     write, read, or a number
//	offset, dur                                numbers, of data only
//	text    the payload, if it is UTF-8        } at most
//	base64  the payload, whatever it is        } one of
//	payload the payload as named fields        } these
//
// Fields of a payload that have words for their values take them or numbers: role
// (client, server), reason (free, exit, exec, reuse), cause (ring_full, fault,
// snaplen, no_state, missed, control, writer). Lists are named as one item of
// them is: arg, site. HANDSHAKE's duration is dur, which may be a bound. Numbers of 64 bits may be given
// in a string, in decimal or, without a sign, with 0x; those above 2^53 are written so, because
// many programs round them. A payload that named fields cannot give back byte
// for byte is written as base64.
//
// Text is escaped so that a line is safe to look at: no control character,
// nothing unseen, no change of direction.
//
// A session event begins a section, and so a text may hold several, as a file
// may. Without one a section with an empty description is made. Events that only
// repeat a description within their section have no line, since a
// [format.Writer] makes them. Seq must not decrease within a section.
//
// # The minimal form
//
// Conversations known by their bytes only are written shorter. A text is taken
// for this form if its first line has client, server, alpn, ts, data, gap or end,
// or a dir of c2s or s2c, and neither seq nor type:
//
//	{"conn":0,"client":"10.0.0.5:40111","server":"192.0.2.1:443","alpn":"h2"}
//	{"conn":0,"dir":"c2s","ts":1554403730697139000,"text":"GET / HTTP/1.1\r\n\r\n"}
//	{"conn":0,"dir":"s2c","ts":1554403730716996000,"data":"SFRUUC8xLjE="}
//	{"conn":0,"dir":"s2c","gap":127}
//	{"conn":0,"dir":"s2c","end":"fin"}
//
// The first kind of line is optional, and so is each address and alpn in it. The
// others have conn, dir and one of data (base64), text, gap (bytes that are
// missing) and end (fin or rst). ts is nanoseconds since the Unix epoch; without
// it the one before counts on.
//
// The client's side becomes the process: c2s is what it wrote. Conn 0 becomes 1
// of the session, and so on. Seq, offsets and the events that describe, end, or
// tell of a loss are made; so is the END event.
//
// # What it does not do
//
// The package opens no file and interprets no payload byte. Of a text it holds
// one line at a time, [MaxLine] at most, and of the minimal form a little for
// each connection.
package eventjson
