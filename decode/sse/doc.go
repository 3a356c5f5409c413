// Package sse finds the events in the body of a text/event-stream response while
// the response is still open (HTML Living Standard §9.2, server-sent events).
//
//	body ─► (BOM) ─► line: CR, LF or CRLF ─► field ─► blank line ─► decode.Inner
//	gap  ─► the event in hand is given out as it is; what follows up to the next
//	        blank line belongs to nothing
//
// The event's name is the message's Type, its data the body, and what it says of
// id and retry is in Header. An event without data is none, as for a browser.
//
// The package holds one line and one event, under a limit. It does not remove
// content codings and does not parse HTTP.
package sse
