package pcapng

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// maxEarly is how many bytes of a server that spoke first wait for the client's
// first word, which tells whether the HTTP/2 preface must be added.
const maxEarly = 64 << 10

// maxHole is the largest hole left in the sequence numbers. A longer one would
// look like a step back (RFC 9293 §3.4); the comment has its true length.
const maxHole = 1 << 30

// Options are empty for now: everything about the file is decided by the session.
type Options struct{}

// Writer is an export.Sink that writes a pcapng file. It needs an engine with
// replay.Options.Data; other items than data and ends are looked at only for
// what they add. It is used from one goroutine.
type Writer struct {
	w       io.Writer
	b       blocks
	head    []byte // scratch for headers
	started bool
	streams map[uint32]*stream
	addrs   addresses
	id      uint16

	packets, dropped uint64
	first, last      int64
	err              error
}

// New returns a Writer to w. Each item becomes at most one Write, and nothing is
// ever written back, so w may be a pipe.
func New(w io.Writer, _ Options) *Writer {
	out := &Writer{w: w, streams: map[uint32]*stream{}}
	out.addrs.reset()
	return out
}

// side is the index of who sends.
type side int

const (
	client side = 0
	server side = 1
)

// maxUnacked is how much one side sends before the other acknowledges it.
const maxUnacked = 1 << 29

// stream is one connection being written.
type stream struct {
	conn   *replay.Conn
	role   decode.Role // of the recorded process
	addr   [2]netip.AddrPort
	seq    [2]uint32 // next sequence number of each side, running over 2^32
	next   [2]uint64 // next stream offset of each side
	acked  [2]uint32 // what each side's peer has acknowledged
	open   bool
	h2     bool           // it is HTTP/2: the server waits until the client has spoken
	lead   *replay.Item   // the client's bytes as long as they are less than the preface
	early  []*replay.Item // the server's before that
	nEarly int
	note   string // for the comment of the next packet
}

// say adds a line to the comment of the next packet.
func (s *stream) say(text string) {
	if s.note != "" {
		s.note += "\n"
	}
	s.note += text
}

// Item implements export.Sink.
func (w *Writer) Item(it *replay.Item) error {
	if w.err != nil {
		return w.err
	}
	if !w.started {
		w.start(it)
	}
	switch it.Kind {
	case replay.ItemSession:
		// Ids begin anew; the engine has ended what was open.
		clear(w.streams)
	case replay.ItemData:
		w.data(it)
	case replay.ItemConnEnd:
		w.connEnd(it)
	case replay.ItemDrop:
		w.dropped += max(it.Drop.Events, 1)
	}
	return w.flush()
}

// Close writes the statistics block. It does not close the writer below.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if !w.started {
		w.start(&replay.Item{})
	}
	w.b.stats(w.first, w.last, w.packets, w.dropped)
	err := w.flush()
	if err == nil {
		w.err = errors.New("write pcapng: closed")
	}
	return err
}

func (w *Writer) flush() error {
	if len(w.b.buf) == 0 {
		return nil
	}
	if _, err := w.w.Write(w.b.buf); err != nil {
		w.err = fmt.Errorf("write pcapng: %w", err)
		return w.err
	}
	w.b.buf = w.b.buf[:0]
	return nil
}

func (w *Writer) start(it *replay.Item) {
	w.started = true
	var os, app, comment string
	if s := it.Session; s != nil {
		os = export.Escape(strings.TrimSpace(s.Kernel + " " + s.Arch))
		app = export.Escape(s.Writer)
		comment = "Recorded on " + export.Escape(s.Host) + "\n"
	}
	w.b.section(os, app, comment+"Plaintext of TLS connections in synthesised TCP; the server's port is shown as 80")
	w.b.iface("spliff plaintext", "what programs wrote to and read from their TLS library")
}

func (w *Writer) data(it *replay.Item) {
	s := w.streams[it.Conn.ID]
	if s == nil {
		s = &stream{role: decode.RoleClient}
		if it.Data.FromClient != (it.Dir == decode.Write) {
			s.role = decode.RoleServer
		}
		w.streams[it.Conn.ID] = s
	}
	s.conn = it.Conn
	if !s.open {
		s.h2 = s.h2 || it.Conn.ALPN == "h2" || it.Conn.ALPN == "" && looksH2(it.Data.Bytes)
	}
	switch {
	case s.open:
		w.send(s, it)
	case it.Data.FromClient:
		w.clientFirst(s, it)
	case (s.h2 || s.lead != nil) && s.nEarly+len(it.Data.Bytes) <= maxEarly:
		s.early = append(s.early, it)
		s.nEarly += len(it.Data.Bytes)
	default:
		w.giveUpWaiting(s, it.Data.Time)
		w.send(s, it)
	}
}

// clientFirst takes what the client says before the stream is open. The preface
// must be in one packet, or Wireshark does not know it: its pieces are joined.
func (w *Writer) clientFirst(s *stream, it *replay.Item) {
	if s.lead != nil && it.Data.Off == s.lead.Data.Off+uint64(len(s.lead.Data.Bytes)) {
		joined, d := *s.lead, *s.lead.Data
		d.Bytes = append(d.Bytes[:len(d.Bytes):len(d.Bytes)], it.Data.Bytes...)
		joined.Data = &d
		s.lead, it = nil, &joined
	}
	seen := it.Data.Off == 0 && hasPreface(it.Data.Bytes)
	if seen && len(it.Data.Bytes) < len(preface) {
		s.lead = it
		return
	}
	if !seen {
		w.giveUpWaiting(s, it.Data.Time)
	} else {
		w.openStream(s, it.Data.Time)
	}
	if seen {
		it = w.sendPreface(s, it)
	}
	w.send(s, it)
	w.sendEarly(s)
}

// sendPreface sends the preface as a packet of its own, because Wireshark loses
// a frame that begins in the preface's packet and does not end there. It returns
// the bytes after it.
func (w *Writer) sendPreface(s *stream, it *replay.Item) *replay.Item {
	n := len(preface)
	first, rest := *it, *it
	head, tail := *it.Data, *it.Data
	head.Bytes = it.Data.Bytes[:n]
	tail.Off, tail.Bytes = it.Data.Off+uint64(n), it.Data.Bytes[n:]
	first.Data, rest.Data = &head, &tail
	w.send(s, &first)
	return &rest
}

// giveUpWaiting opens a stream without having seen the preface, and sends what
// waited for it.
func (w *Writer) giveUpWaiting(s *stream, at int64) {
	if len(s.early) > 0 {
		at = s.early[0].Data.Time
	}
	w.openStream(s, at)
	if s.h2 {
		w.addPreface(s, at)
	}
	w.sendEarly(s)
	if lead := s.lead; lead != nil {
		s.lead = nil
		w.send(s, lead)
	}
}

func (w *Writer) sendEarly(s *stream) {
	early := s.early
	s.early, s.nEarly = nil, 0
	for _, it := range early {
		w.send(s, it)
	}
}

func (w *Writer) addPreface(s *stream, at int64) {
	s.say("HTTP/2 preface and empty SETTINGS added by spliff: the recording began later")
	w.segment(s, client, flagPSH|flagACK, []byte(preface+settings), at)
}

// openStream writes the three-way handshake; its first packet tells whose
// connection it is.
func (w *Writer) openStream(s *stream, at int64) {
	s.open = true
	from, to, real := endpoints(s.conn, s.role)
	if len(w.addrs.used) >= maxTuples {
		w.addrs.reset()
		for _, o := range w.streams {
			w.addrs.claim(tuple{o.addr[client], o.addr[server]})
		}
	}
	t := w.addrs.take(from, to)
	s.addr = [2]netip.AddrPort{t.client, t.server}
	s.say(about(s.conn, t, from, to, real))
	w.segment(s, client, flagSYN, nil, at)
	w.segment(s, server, flagSYN|flagACK, nil, at)
	w.segment(s, client, flagACK, nil, at)
}

// about is the comment of a connection's first packet. The first three lines
// are those of ptcpdump, which people filter on.
func about(c *replay.Conn, t tuple, from, to netip.AddrPort, real bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "PID: %d\nCmd: %s\nArgs: ", c.PID, export.Escape(c.Proc.Comm))
	for i, a := range c.Proc.Args {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(export.Escape(a))
		if b.Len() > maxOption/2 {
			b.WriteString(" …")
			break
		}
	}
	fmt.Fprintf(&b, "\nConnection: %d", c.ID)
	switch {
	case !real:
		b.WriteString("\nAddresses: not known, these are made up")
	case t.client != from:
		fmt.Fprintf(&b, "\nAddresses: really %s to %s; changed because another connection of this file has them", from, to)
	case to.Port() != plainPort:
		fmt.Fprintf(&b, "\nServer port: really %d", to.Port())
	}
	if c.Lib != "" {
		b.WriteString("\nTLS library: " + export.Escape(c.Lib))
	}
	if c.ALPN != "" {
		b.WriteString("\nALPN: " + export.Escape(c.ALPN))
	}
	return b.String()
}

// send writes the bytes of a data item, after a hole when some are missing.
func (w *Writer) send(s *stream, it *replay.Item) {
	from := server
	if it.Data.FromClient {
		from = client
	}
	w.hole(s, from, it.Data.Off)
	b := it.Data.Bytes
	s.next[from] = it.Data.Off + uint64(len(b))
	for len(b) > 0 {
		n := min(len(b), maxSegment)
		// Two gigabytes without an answer look like a retransmission: half the
		// sequence space lies behind the last acknowledgement (RFC 9293 §3.4).
		if s.seq[from]-s.acked[from] > maxUnacked {
			w.segment(s, 1-from, flagACK, nil, it.Data.Time)
		}
		w.segment(s, from, flagPSH|flagACK, b[:n], it.Data.Time)
		b = b[n:]
	}
}

func (w *Writer) hole(s *stream, from side, off uint64) {
	if off <= s.next[from] {
		return
	}
	missing := off - s.next[from]
	s.seq[from] += uint32(min(missing, maxHole))
	s.say(fmt.Sprintf("%d bytes missing before this packet", missing))
}

// connEnd writes the FINs. They are written for every connection, because
// Wireshark holds back what it has not seen the end of; the comment says when
// the end was not the connection's own.
func (w *Writer) connEnd(it *replay.Item) {
	s := w.streams[it.Conn.ID]
	if s == nil {
		return
	}
	delete(w.streams, it.Conn.ID)
	s.conn = it.Conn
	if !s.open {
		w.giveUpWaiting(s, it.Time)
	}
	count := [2]uint64{it.End.Written, it.End.Read}
	first := client
	if s.role == decode.RoleServer {
		count[0], count[1] = count[1], count[0]
		first = server
	}
	for _, from := range [2]side{first, 1 - first} {
		w.hole(s, from, count[from])
		if from == first && it.End.Reason == format.EndUnknown && !it.End.Shutdown {
			s.say("The recording ended here, not the connection")
		}
		w.segment(s, from, flagFIN|flagACK, nil, it.Time)
	}
	w.segment(s, first, flagACK, nil, it.Time)
}

// segment writes one packet and takes the comment that waits for it.
func (w *Writer) segment(s *stream, from side, flags byte, payload []byte, at int64) {
	to := 1 - from
	w.id++
	seg := segment{src: s.addr[from], dst: s.addr[to], id: w.id, seq: s.seq[from], flags: flags, payload: payload}
	if flags&flagACK != 0 {
		seg.ack = s.seq[to]
		s.acked[to] = s.seq[to]
	}
	s.seq[from] += uint32(len(payload))
	if flags&(flagSYN|flagFIN) != 0 {
		s.seq[from]++ // SYN and FIN take a number each
	}
	m := meta{time: at, dir: inbound, comment: s.note}
	if (s.role == decode.RoleServer) == (from == server) {
		m.dir = outbound
	}
	if s.note != "" {
		m.pid = s.conn.PID
	}
	s.note = ""
	w.head = appendHeaders(w.head[:0], &seg)
	w.b.packet(m, w.head, payload)
	w.packets++
	if w.first == 0 {
		w.first = at
	}
	w.last = max(w.last, at)
}
