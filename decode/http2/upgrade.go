package http2

import (
	"encoding/base64"
	"strings"

	"github.com/NoFear0411/spliff/decode"
)

// Upgrade is how a connection that began as HTTP/1.1 came to be HTTP/2 (RFC 7540
// §3.2): by a request whose answer comes on stream 1.
type Upgrade struct {
	Exchange uint32          // of the request, the highest number used so far
	Head     bool            // the request's method is HEAD
	Settings string          // value of its HTTP2-Settings
	Response *decode.Message // the 101, which becomes an interim response of the answer
}

// SetUpgraded must be called before the first Append.
func (c *Conn) SetUpgraded(u Upgrade) {
	c.reg.exchanges = u.Exchange - 1 // open takes the next
	st := c.open(1)
	st.head = u.Head
	st.slot[slotRequest].started, st.slot[slotRequest].done = true, true
	c.reg.lastClient = 1
	h := &c.half[c.client.Other()]
	o := c.begun(st, slotResponse, h, u.Response.Begin)
	o.m.HeadEnd = u.Response.HeadEnd
	o.m.Interim = append(u.Response.Interim, decode.Interim{Status: u.Response.Status, Header: u.Response.Header, At: u.Response.HeadEnd})
	o.m.Anomalies = u.Response.Anomalies

	// §3.2.1: they count as the SETTINGS frame that the client sends first.
	p, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(u.Settings, "="))
	if err != nil || len(p)%6 != 0 {
		c.mark(o, c.client, AnomalyBadFrame, "HTTP2-Settings %q", clip(u.Settings))
		return
	}
	c.applySettings(&c.half[c.client], p)
}
