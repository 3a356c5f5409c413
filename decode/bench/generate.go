package main

import (
	"bytes"
	"fmt"

	"github.com/NoFear0411/spliff/format"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// generate writes n exchanges of the same shape as capture's. All but the times of
// its events is the same each time.
func generate(r *recorder, p protocol, n int) error {
	docs, targets := site()
	var flows []*talk
	for range min(connections, n) {
		flows = append(flows, newTalk(r.connect()))
	}
	for i := range n {
		t := flows[i%len(flows)]
		doc := docs[i*7%len(docs)]
		if p == h1 {
			t.one(targets[i%len(targets)], doc, i)
			t.flush()
			continue
		}
		if err := t.two(targets[i%len(targets)], doc, i); err != nil {
			return err
		}
		if t.streams%inFlight == 0 {
			t.flush()
		}
	}
	for _, t := range flows {
		t.flush()
	}
	return nil
}

// talk is a connection being written.
type talk struct {
	conn     *recorded
	c2s, s2c bytes.Buffer
	streams  int
	client   peer
	server   peer
}

// peer is an endpoint of HTTP/2.
type peer struct {
	framer *http2.Framer
	enc    *hpack.Encoder
	block  bytes.Buffer
}

func newTalk(c *recorded) *talk {
	t := &talk{conn: c}
	t.client.framer = http2.NewFramer(&t.c2s, nil)
	t.server.framer = http2.NewFramer(&t.s2c, nil)
	t.client.enc = hpack.NewEncoder(&t.client.block)
	t.server.enc = hpack.NewEncoder(&t.server.block)
	return t
}

// flush records what was said, the requests first.
func (t *talk) flush() {
	for _, half := range []struct {
		dir format.Dir
		b   *bytes.Buffer
	}{{format.DirRead, &t.c2s}, {format.DirWrite, &t.s2c}} {
		for half.b.Len() > 0 {
			t.conn.data(half.dir, half.b.Next(16<<10))
		}
	}
}

// facts are the fields nginx makes for a document.
func facts(doc []byte, i int) [][2]string {
	return append([][2]string{
		{"server", "nginx/1.22.1"}, {"date", fmt.Sprintf("Mon, 12 Jan 2026 15:%02d:%02d GMT", i/6000%60, i/100%60)},
		{"content-type", "application/json"}, {"content-length", fmt.Sprint(len(doc))},
		{"last-modified", "Mon, 12 Jan 2026 11:11:59 GMT"}, {"etag", fmt.Sprintf(`"6964d5bf-%x"`, len(doc))}, {"accept-ranges", "bytes"},
		{"x-request-id", fmt.Sprintf("%032x", i*2654435761)},
	}, responseFields()...)
}

// one writes an exchange of HTTP/1.1.
func (t *talk) one(target string, doc []byte, i int) {
	fmt.Fprintf(&t.c2s, "GET %s HTTP/1.1\r\nhost: 127.0.0.1:8443\r\n", target)
	writeFields(&t.c2s, requestFields())
	t.s2c.WriteString("HTTP/1.1 200 OK\r\n")
	writeFields(&t.s2c, facts(doc, i))
	t.s2c.Write(doc)
}

func writeFields(b *bytes.Buffer, fields [][2]string) {
	for _, f := range fields {
		b.WriteString(f[0] + ": " + f[1] + "\r\n")
	}
	b.WriteString("\r\n")
}

// two writes an exchange of HTTP/2 (RFC 9113).
func (t *talk) two(target string, doc []byte, i int) error {
	if t.streams == 0 {
		t.c2s.WriteString(http2.ClientPreface)
		for _, f := range []*http2.Framer{t.client.framer, t.server.framer} {
			if err := f.WriteSettings(); err != nil {
				return err
			}
		}
	}
	id := uint32(2*t.streams + 1)
	t.streams++
	head := append([][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "127.0.0.1:8443"}, {":path", target}}, requestFields()...)
	if err := t.client.headers(id, true, head); err != nil {
		return err
	}
	if err := t.server.headers(id, false, append([][2]string{{":status", "200"}}, facts(doc, i)...)); err != nil {
		return err
	}
	return t.server.framer.WriteData(id, true, doc)
}

func (p *peer) headers(id uint32, end bool, fields [][2]string) error {
	p.block.Reset()
	for _, f := range fields {
		if err := p.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	return p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: end, EndHeaders: true, BlockFragment: p.block.Bytes()})
}
