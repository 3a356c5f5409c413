package http1

import (
	"slices"
	"strings"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
)

const (
	// interimKept is how many informational responses are kept of an exchange;
	// a server may send any number.
	interimKept = 64
	// holdMax is how many request bytes wait for a response to say what they are.
	holdMax = 256 << 10
	// holdPieces is in how many pieces they are kept apart, for their times.
	holdPieces = 64
)

// Conn decodes one connection. It is not safe for concurrent use. Memory is
// bounded by its limits; an idle connection holds little.
type Conn struct {
	limits    decode.Limits
	req, resp stream
	queue     queue
	exchange  uint32 // last number given
	upgraded  string
	rest      []Rest
	handOver  []string
	trace     decode.Trace
}

// New returns a decoder for a connection on which requests travel in the
// direction client. Zero limits have their defaults.
func New(client decode.Dir, l decode.Limits) *Conn {
	c := &Conn{limits: l.WithDefaults(), queue: queue{lostAt: answered}}
	c.req = newStream(c, client, decode.Request)
	c.resp = newStream(c, client.Other(), decode.Response)
	return c
}

// SetMidStream says that the recording began inside the connection: the first
// bytes of either direction may be in the middle of a message. Call it before
// the first Append.
func (c *Conn) SetMidStream() {
	for _, s := range []*stream{&c.req, &c.resp} {
		s.step = stepSkip
		s.skip.at, s.skip.mid = true, true
	}
	c.queue.asksLost = true
}

// SetArena says where to take the memory of messages from: they may then be recycled
// there. Call it before the first Append.
func (c *Conn) SetArena(a *arena.Arena) {
	for _, s := range []*stream{&c.req, &c.resp} {
		s.sec.arena = a
		s.sec.reset(startKind(s.kind))
	}
}

// SetTrace says whom to tell which bytes are not content. Positions begin at pos,
// by direction. Call it before the first Append.
func (c *Conn) SetTrace(t decode.Trace, pos [2]uint64) {
	c.trace = t
	c.req.told, c.resp.told = pos[c.req.dir], pos[c.resp.dir]
}

// Pos returns the position behind the last byte of a direction that was read as
// HTTP/1.
func (c *Conn) Pos(d decode.Dir) uint64 { return c.stream(d).told }

// HandOver asks that bytes which follow an upgrade to one of protos, named as by
// [Conn.Upgraded], be kept for [Conn.Rest] rather than described. Call it before
// the first Append.
func (c *Conn) HandOver(protos ...string) { c.handOver = protos }

// Rest is a piece of what follows an upgrade: bytes or, if Gap is set, none.
type Rest struct {
	decode.Chunk
	Gap *decode.Gap
}

// handsOver reports whether somebody else reads what follows the upgrade.
func (c *Conn) handsOver() bool { return slices.Contains(c.handOver, c.upgraded) }

// Upgraded returns what the connection became after a 101, or a 2xx to
// CONNECT: "tunnel", or the protocol in lower case such as "websocket" or
// "h2c"; "" while it is HTTP/1.
func (c *Conn) Upgraded() string { return c.upgraded }

// Rest returns what was seen since the upgrade that [Conn.HandOver] asked for, in
// order of arrival, and forgets it. Call it after each Append and Gap: the bytes
// are borrowed, and valid until the next of them.
func (c *Conn) Rest() []Rest {
	list := c.rest
	c.rest = c.rest[:0]
	return list
}

// Append reads a chunk and appends the messages it completes to dst.
func (c *Conn) Append(dst []decode.Message, ch decode.Chunk) []decode.Message {
	s := c.stream(ch.Dir)
	s.pos = ch.Off
	if s == &c.resp && len(c.req.sec.ends) == 1 {
		dst = c.endSimple(dst, ch)
	}
	return s.feed(dst, ch.Data, moment{ch.At, ch.Start})
}

// Gap tells of missing bytes, and appends the messages they end.
func (c *Conn) Gap(dst []decode.Message, g decode.Gap) []decode.Message {
	if g.Known && g.Len == 0 {
		return dst
	}
	s := c.stream(g.Dir)
	dst = s.gap(dst, g)
	if s == &c.resp && s.step == stepSkip {
		// The response that requests wait for may be among what is missing.
		dst = c.req.release(dst, c.req.looksHTTP())
	}
	return dst
}

// End tells that no more comes: clean when the connection ended, not clean when
// only the recording did. It appends what is left; only a clean end completes
// a body that lasts until the connection closes.
func (c *Conn) End(dst []decode.Message, at decode.At, clean bool) []decode.Message {
	m := moment{at: at, start: at.Time}
	for c.req.step == stepHold && len(c.req.held) > 0 {
		dst = c.req.release(dst, c.req.looksHTTP())
	}
	dst = c.req.end(dst, m, clean)
	return c.resp.end(dst, m, clean)
}

func (c *Conn) stream(d decode.Dir) *stream {
	if d == c.req.dir {
		return &c.req
	}
	return &c.resp
}

// pending is a request that has not been answered.
type pending struct {
	exchange uint32
	seen     uint64 // bytes of the response stream seen when it was asked
	cut      bool   // its method may have lost its beginning
	head     bool   // HEAD: the response has no body
	connect  bool   // CONNECT: a 2xx begins a tunnel
	simple   bool   // it names no version: its answer may be nothing but a body
	upgrade  string // the protocols it offers to change to
}

// answered is pending.seen of a request whose answer may have been lost.
const answered = 1<<64 - 1

// queue holds unanswered requests, oldest first.
type queue struct {
	list      []pending
	first     int
	doubtful  int  // how many, from first, may have been answered unseen
	pipelined bool // the client has been seen to send without waiting
	// uncertain: messages were lost, so responses and requests may be out of
	// step. It ends when the queue runs empty all the same, unless requests were
	// lost of a client that pipelines: those may have more answers to come.
	uncertain bool
	asksLost  bool // requests may have been lost
	// lostAt is how much of the response stream was seen when request bytes were
	// last lost or passed over; answered if none were.
	lostAt uint64
}

func (q *queue) len() int { return len(q.list) - q.first }

func (q *queue) push(p pending) {
	if q.first > 32 && q.first > len(q.list)/2 {
		q.list = q.list[:copy(q.list, q.list[q.first:])]
		q.first = 0
	}
	q.list = append(q.list, p)
}

// drop forgets the n oldest.
func (q *queue) drop(n int) {
	q.first += n
	q.doubtful = max(0, q.doubtful-n)
	if q.first == len(q.list) {
		q.list, q.first = q.list[:0], 0
		q.settle()
	}
}

// settle is called when nothing is left to answer: with a client that waits for
// each answer requests and responses are in step again.
func (q *queue) settle() { q.uncertain = q.asksLost && q.pipelined }

// ask numbers a request and remembers that it wants an answer.
func (c *Conn) ask(m *decode.Message, f *facts) {
	c.exchange++
	m.Exchange = c.exchange
	q := &c.queue
	if c.resp.step == stepSkip {
		// What was passed over since a request was asked may be its answer.
		for q.doubtful = 0; q.doubtful < q.len() && q.list[q.first+q.doubtful].seen != c.resp.pos; {
			q.doubtful++
		}
	}
	switch {
	case q.len() > q.doubtful:
		q.pipelined = true
		q.uncertain = q.uncertain || q.asksLost
	case q.doubtful > 0 && !q.pipelined:
		// A client that waits for each answer had those that were lost.
		q.drop(q.doubtful)
	}
	if q.len() >= c.limits.Pipeline {
		q.drop(1)
		c.req.note(decode.AnomalyLimit, "too many unanswered requests; the oldest is forgotten")
	}
	if q.lostAt == c.resp.pos {
		q.pipelined = true // no answer came between what was lost and this
		q.uncertain = true
	}
	cut := m.Flags&decode.MidStream != 0
	q.push(pending{
		exchange: c.exchange, seen: c.resp.pos, cut: cut,
		head:    m.Method == "HEAD" || cut && strings.HasSuffix("HEAD", m.Method),
		connect: m.Method == "CONNECT", upgrade: f.upgrade, simple: m.Proto == versionNone,
	})
}

// doubt is called when framing is lost: answers may have gone unseen.
func (c *Conn) doubt(s *stream) {
	q := &c.queue
	if s == &c.req {
		q.asksLost, q.lostAt = true, c.resp.pos
		q.uncertain = q.uncertain || q.pipelined
		return
	}
	q.doubtful = q.len()
	for i := range q.list {
		q.list[i].seen = answered
	}
	q.uncertain = q.uncertain || q.len() > 1 || q.pipelined && q.len() > 0
}

// undecided reports whether the response to a request may yet end HTTP on the
// connection.
func (c *Conn) undecided(exchange uint32) bool {
	q := &c.queue
	if q.len() == 0 {
		return false
	}
	last := &q.list[len(q.list)-1]
	return last.exchange == exchange && (last.connect || last.upgrade != "")
}

// answer takes the request that a final response belongs to.
func (c *Conn) answer(m *decode.Message) pending {
	if c.queue.len() == 0 {
		c.queue.settle()
		c.exchange++
		m.Exchange = c.exchange
		c.resp.note(decode.AnomalyNoRequest, "no request was seen that it could answer")
		return pending{exchange: c.exchange}
	}
	p := c.queue.list[c.queue.first]
	if c.queue.uncertain {
		c.resp.note(AnomalyUncertainPair, "messages were lost while requests were pipelined: it may answer another request")
	}
	if p.cut {
		c.resp.note(AnomalyUncertainPair, "the method it answers is not known whole: whether it has a body is not certain")
	}
	c.queue.drop(1)
	m.Exchange = p.exchange
	return p
}

// protocol returns the name of the protocol that a response switches to.
func protocol(answered, offered string) string {
	for _, list := range [2]string{answered, offered} {
		name, _, _ := strings.Cut(list, ",")
		if name = strings.ToLower(strings.Trim(name, " \t")); name != "" {
			return name
		}
	}
	return "unknown"
}
