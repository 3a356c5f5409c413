package websocket

import (
	"strconv"
	"strings"

	"github.com/NoFear0411/spliff/decode"
)

// Extensions are what the two sides agreed on.
type Extensions struct {
	// Deflate: messages may be compressed (RFC 7692).
	Deflate bool
	// NoTakeover, by side: it begins each message with an empty window (§7.1.1).
	ClientNoTakeover, ServerNoTakeover bool
	// Bits of the window of each side, 15 unless said otherwise (§7.1.2). A window
	// of the largest size decodes all of them, so they are only told.
	ClientBits, ServerBits int
	// Other is an extension that this package does not know, "" if there is none.
	// What it does to payloads and reserved bits cannot be said.
	Other string
	// Bad is what is wrong with the negotiation, "" if nothing is.
	Bad string
}

// Negotiated reads the Sec-WebSocket-Extensions of the response that ended the
// handshake (RFC 6455 §9.1): what it says is what holds.
func Negotiated(header []decode.Field) Extensions {
	e := Extensions{ClientBits: 15, ServerBits: 15}
	for i := range header {
		f := &header[i]
		if f.Unknown || !strings.EqualFold(f.Name, "Sec-WebSocket-Extensions") {
			continue
		}
		list := f.Value
		for more := true; more; {
			var one string
			one, list, more = strings.Cut(list, ",")
			e.add(one)
		}
	}
	return e
}

// add takes one extension and its parameters.
func (e *Extensions) add(text string) {
	name, params, more := strings.Cut(text, ";")
	name = strings.Trim(name, " \t")
	switch {
	case name == "":
		return
	case !strings.EqualFold(name, "permessage-deflate"):
		if e.Other == "" {
			e.Other = clip(name)
		}
		return
	case e.Deflate:
		e.Bad = "permessage-deflate twice"
		return
	}
	e.Deflate = true
	for more {
		var p string
		p, params, more = strings.Cut(params, ";")
		key, value, _ := strings.Cut(p, "=")
		e.param(strings.ToLower(strings.Trim(key, " \t")), strings.Trim(value, " \t\""))
	}
}

// param takes one parameter of permessage-deflate (RFC 7692 §7.1).
func (e *Extensions) param(key, value string) {
	bits := &e.ClientBits
	switch key {
	case "client_no_context_takeover":
		e.ClientNoTakeover = true
		return
	case "server_no_context_takeover":
		e.ServerNoTakeover = true
		return
	case "server_max_window_bits":
		bits = &e.ServerBits
	case "client_max_window_bits":
	default:
		e.Bad = "parameter " + strconv.Quote(clip(key))
		return
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 8 || n > 15 {
		e.Bad = key + " " + strconv.Quote(clip(value))
		return
	}
	*bits = n
}

// clip keeps captured text in details short.
func clip(s string) string { return s[:min(len(s), 64)] }
