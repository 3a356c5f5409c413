package replay

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
)

// spareMost bounds how many of each wait to be used again.
const spareMost = 4096

// memory is where one lane takes items from, and the messages in them. With an arena
// what was given out comes back by recycle, which is called where the lane's ops run;
// without one it is the sink's.
type memory struct {
	arena *arena.Arena

	items     []*Item
	exchanges []*Exchange
	spare     []*decode.Message
	taken     []*decode.Message // scratch of messages

	render func([]byte, *Item) []byte // nil: nobody asks
	whole  bool                       // nobody else refers to what is in an exchange
	hidden int                        // messages of which no item was made, since somebody asked
}

func newMemory(cfg *flowConfig) *memory {
	m := &memory{whole: cfg.whole}
	if cfg.transient {
		m.arena = new(arena.Arena)
	}
	if cfg.render != nil {
		m.render = cfg.render()
	}
	return m
}

// owned are messages that left the decoder's scratch.
type owned struct {
	slice []decode.Message
	list  []*decode.Message
}

func (o *owned) at(i int) *decode.Message {
	if o.list != nil {
		return o.list[i]
	}
	return &o.slice[i]
}

// messages copies from, which must not be empty. The list is valid until the next call.
func (m *memory) messages(from []decode.Message) owned {
	if m.arena == nil {
		// One allocation for all messages of the op: they leave together anyway.
		own := make([]decode.Message, len(from))
		copy(own, from)
		return owned{slice: own}
	}
	m.taken = m.taken[:0]
	for i := range from {
		to := pop(&m.spare)
		*to = from[i]
		m.taken = append(m.taken, to)
	}
	return owned{list: m.taken}
}

// pop takes the last of a list, or makes one.
func pop[T any](list *[]*T) *T {
	last := len(*list) - 1
	if last < 0 {
		return new(T)
	}
	v := (*list)[last]
	*list = (*list)[:last]
	return v
}

// item returns an item of which nothing is set.
func (m *memory) item() *Item { return pop(&m.items) }

// exchange makes the item of a finished exchange. Its direction is the request's; a
// response alone tells which that would have been.
func (m *memory) exchange(o *op, conn *Conn, ex *pair) *Item {
	x := pop(&m.exchanges)
	x.Conn, x.Request, x.Response, x.Inner, x.noResponse = conn, ex.req, ex.resp, ex.inner, ex.resp == nil
	it := m.item()
	it.Kind, it.Seq, it.Time, it.Conn, it.Exchange = ItemExchange, o.seq, o.time, conn, x
	it.Dir = decode.Write
	if ex.req != nil {
		it.Dir = ex.req.Dir
	} else if ex.resp != nil {
		it.Dir = ex.resp.Dir.Other()
	}
	return it
}

// renderMost is how many bytes are rendered of one batch. A body of a kilobyte can
// decode to any size, and batches wait: beyond it items are left to the sink.
const renderMost = 1 << 20

// renderAll renders the exchanges among items, unless dst, which others were rendered
// to before, holds most bytes.
func (m *memory) renderAll(dst []byte, items []*Item, most int) []byte {
	if m.render == nil {
		return dst
	}
	for _, it := range items {
		if at := len(dst); it.Kind == ItemExchange && at < most {
			if dst = m.render(dst, it); len(dst) > at {
				it.Rendered = dst[at:len(dst):len(dst)]
				m.strip(it)
			}
		}
	}
	return dst
}

// strip takes back what was rendered of an exchange, while it is still in this core's
// cache. Messages inside one refer to its request.
func (m *memory) strip(it *Item) {
	if x := it.Exchange; m.arena != nil && m.whole && x.Inner == nil {
		finished(it, m.reuse)
		x.Request, x.Response = nil, nil
	}
}

// isHalf reports whether a message is a request or response that comes in an exchange.
func isHalf(m *decode.Message) bool {
	return m.Exchange != 0 && (m.Kind == decode.Request || m.Kind == decode.Response)
}

// finished calls with for each message that nobody looks at any more once it was given
// to the sink: both halves of an exchange, and a message that belongs to none. A half
// that waits for the other is still in use.
func finished(it *Item, with func(*decode.Message)) {
	switch {
	case it.Kind == ItemExchange:
		for _, m := range [2]*decode.Message{it.Exchange.Request, it.Exchange.Response} {
			if m != nil {
				with(m)
			}
		}
	case it.Kind == ItemMessage && it.Message != nil && !isHalf(it.Message):
		with(it.Message)
	}
}

// settle prepares an item that was given to the sink for waiting to be recycled. It
// lets go of a message that is still in use: by the time the item is recycled, the
// message may be another's.
func settle(it *Item) {
	used := it.Kind == ItemMessage
	finished(it, func(m *decode.Message) { used = false; trim(m) })
	if used {
		it.Message = nil
	}
}

// trim drops what is large of a message that waits to be recycled.
func trim(m *decode.Message) {
	if cap(m.Body.Data) > arena.BodyMost {
		m.Body.Data = nil
	}
	m.Body.Content, m.Anomalies = nil, nil
}

// recycle takes back an item that was given to the sink. Strings stay what they are:
// others may refer to them.
func (m *memory) recycle(it *Item) {
	if it.Kind != ItemMessage && it.Kind != ItemExchange {
		return
	}
	finished(it, m.reuse)
	if it.Exchange != nil && len(m.exchanges) < spareMost {
		*it.Exchange = Exchange{}
		m.exchanges = append(m.exchanges, it.Exchange)
	}
	if *it = (Item{}); len(m.items) < spareMost {
		m.items = append(m.items, it)
	}
}

// reuse takes back a message.
func (m *memory) reuse(msg *decode.Message) {
	m.arena.Recycle(msg)
	if *msg = (decode.Message{}); len(m.spare) < spareMost {
		m.spare = append(m.spare, msg)
	}
}

// takeHidden returns how many messages were left out since it was last called.
func (m *memory) takeHidden() int {
	n := m.hidden
	m.hidden = 0
	return n
}
