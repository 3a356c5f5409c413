package replay

import (
	"fmt"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/decode"
)

// TestInner: an exchange that goes on after its response ends with the last message
// of each direction, and counts the messages inside it.
func TestInner(t *testing.T) {
	const w, r = decode.Write, decode.Read
	req := decode.Message{Kind: decode.Request, Exchange: 1}
	resp := decode.Message{Kind: decode.Response, Dir: r, Exchange: 1}
	open := resp
	open.Flags = decode.Continued
	lone := open
	lone.Anomalies = []decode.Anomaly{{Kind: decode.AnomalyNoRequest}}
	in := func(dir decode.Dir, size uint64, f decode.Flags) decode.Message {
		return decode.Message{Kind: decode.Inner, Proto: "x", Dir: dir, Exchange: 1, Flags: f, Wire: size + 2, Body: decode.Body{Size: size}, End: decode.At{Time: int64(size)}}
	}
	notice := decode.Message{Kind: decode.Notice, Dir: w, Exchange: 1, Flags: decode.Last}
	tests := []struct {
		name string
		in   []decode.Message
		role decode.Dir
		want string // after each message, and at the end
	}{
		{"until both are closed", []decode.Message{req, open, in(w, 5, 0), in(r, 7, 0), in(w, 1, decode.Last), in(r, 9, decode.Last)}, w,
			"- - - - - [req resp 2/2 6/16 10/20 @9]"},
		{"recorded at the server", []decode.Message{req, open, in(w, 5, 0), in(r, 1, decode.Last), in(w, 2, decode.Last)}, r,
			"- - - - [req resp 1/2 1/7 3/11 @5]"},
		{"until the connection ends", []decode.Message{req, open, in(w, 5, 0)}, w, "- - - [req resp 1/0 5/0 7/0 @5]"},
		{"no message", []decode.Message{req, open}, w, "- - [req resp]"},
		{"the stream ends without a close", []decode.Message{req, open, in(r, 3, decode.Last), notice}, w, "- - - [req resp 0/1 0/3 0/5 @3]"},
		{"messages before the request is complete", []decode.Message{in(w, 1, 0), in(w, 2, 0), req, in(r, 1, 0), resp}, w, "- - - - [req resp 2/1 3/1 7/3 @2]"},
		{"no request", []decode.Message{lone, in(w, 1, decode.Last), in(r, 1, decode.Last)}, w, "- - [resp 1/1 1/1 3/3 @1]"},
		{"after the end", []decode.Message{req, open, in(w, 1, decode.Last), in(r, 1, decode.Last), in(r, 1, 0)}, w, "- - - [req resp 1/1 1/1 3/3 @1] -"},
		{"a notice of an exchange that is over", []decode.Message{req, resp, notice}, w, "- [req resp] -"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pairs{client: tt.role}
			var got []string
			tell := func(list []pair) {
				s := "-"
				for _, x := range list {
					s = x.String()
				}
				got = append(got, s)
			}
			for i := range tt.in {
				tell(p.add(&tt.in[i], 10))
			}
			if rest := p.rest(); len(rest) > 0 {
				tell(rest)
			}
			if g := strings.Join(got, " "); g != tt.want {
				t.Errorf("got  %s\nwant %s", g, tt.want)
			}
		})
	}
}

func (x pair) String() string {
	var s []string
	if x.req != nil {
		s = append(s, "req")
	}
	if x.resp != nil {
		s = append(s, "resp")
	}
	if in := x.inner; in != nil {
		c, v := in.Client, in.Server
		s = append(s, fmt.Sprintf("%d/%d %d/%d %d/%d @%d", c.Count, v.Count, c.Size, v.Size, c.Wire, v.Wire, in.End))
	}
	return "[" + strings.Join(s, " ") + "]"
}

// TestInnerOrphans: messages of exchanges that are over or never begin are bounded,
// and make no exchange of their own.
func TestInnerOrphans(t *testing.T) {
	var p pairs
	for i := range uint32(1000) {
		m := decode.Message{Kind: decode.Inner, Exchange: i + 1}
		if out := p.add(&m, 10); len(out) != 0 {
			t.Fatalf("exchange %v", out)
		}
	}
	if len(p.open) > 10 || len(p.rest()) != 0 {
		t.Errorf("%d open, %d at the end", len(p.open), len(p.rest()))
	}
}
