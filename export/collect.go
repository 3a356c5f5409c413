package export

import (
	"bytes"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/replay"
)

// CollectLimits bound what [Collected] keeps. What is over them is counted by the
// exchange, not kept. The zero value of a field means its default.
type CollectLimits struct {
	Messages int // of one exchange, default 1000
	Bytes    int // of the payloads of one exchange, default 1 MiB
	// AllMessages and AllBytes are of all exchanges that are going on, default 65536
	// and 64 MiB. Thousands of them, each below its own limit, are the attack.
	AllMessages, AllBytes int
}

func (l CollectLimits) withDefaults() CollectLimits {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.Messages, 1000)
	def(&l.Bytes, 1<<20)
	def(&l.AllMessages, 1<<16)
	def(&l.AllBytes, 64<<20)
	return l
}

// Collected returns a sink that gives s each exchange together with the first of
// the messages inside it, in Inner.List. s sees the messages themselves too.
func Collected(s Sink, l CollectLimits) Sink {
	return &collector{Sink: s, limits: l.withDefaults(), open: map[uint32]map[uint32]*collection{}}
}

// collector keeps by connection and exchange. It is a sink and not part of the
// engine so that one bound holds for all connections.
type collector struct {
	Sink
	limits   CollectLimits
	open     map[uint32]map[uint32]*collection
	messages int
	bytes    int
}

// collection is what is kept of one exchange that goes on.
type collection struct {
	list  []*decode.Message
	bytes int
	cut   bool
}

// Item implements [Sink].
func (c *collector) Item(it *replay.Item) error {
	switch it.Kind {
	case replay.ItemMessage:
		if it.Message.Kind == decode.Inner {
			c.keep(it.Conn.ID, it.Message)
		}
	case replay.ItemExchange:
		if it.Exchange.Inner != nil {
			it = c.attach(it)
		}
	case replay.ItemConnEnd:
		for exchange := range c.open[it.Conn.ID] {
			c.take(it.Conn.ID, exchange)
		}
	}
	return c.Sink.Item(it)
}

// keep adds a message to its exchange.
func (c *collector) keep(conn uint32, m *decode.Message) {
	of := c.open[conn]
	if of == nil {
		of = map[uint32]*collection{}
		c.open[conn] = of
	}
	k := of[m.Exchange]
	if k == nil {
		k = new(collection)
		of[m.Exchange] = k
	}
	if k.cut || len(k.list) >= c.limits.Messages || c.messages >= c.limits.AllMessages {
		k.cut = true // with the first that is left out: the list has no holes
		return
	}
	// A copy: the message lies in memory with others that came in the same event.
	m = c.copyOf(m, k)
	k.list = append(k.list, m)
	k.bytes += len(m.Body.Data)
	c.messages++
	c.bytes += len(m.Body.Data)
}

// copyOf returns m with as much of its payload as there is room for.
func (c *collector) copyOf(m *decode.Message, k *collection) *decode.Message {
	n := *m
	if room := max(0, min(c.limits.Bytes-k.bytes, c.limits.AllBytes-c.bytes)); len(n.Body.Data) > room {
		n.Body.Data, n.Body.Cut = bytes.Clone(n.Body.Data[:room]), true
		k.cut = true
	}
	return &n
}

// attach gives an exchange its messages. Items are shared, so copies are changed.
func (c *collector) attach(it *replay.Item) *replay.Item {
	x, in := *it.Exchange, *it.Exchange.Inner
	if k := c.take(it.Conn.ID, exchangeOf(&x)); k != nil {
		in.List, in.Cut = k.list, k.cut
	}
	x.Inner = &in
	n := *it
	n.Exchange = &x
	return &n
}

// take ends the collection of an exchange.
func (c *collector) take(conn, exchange uint32) *collection {
	of := c.open[conn]
	k := of[exchange]
	if k == nil {
		return nil
	}
	if delete(of, exchange); len(of) == 0 {
		delete(c.open, conn)
	}
	c.messages -= len(k.list)
	c.bytes -= k.bytes
	return k
}

// exchangeOf is the number that both halves of an exchange have.
func exchangeOf(x *replay.Exchange) uint32 {
	if x.Request != nil {
		return x.Request.Exchange
	}
	if x.Response != nil {
		return x.Response.Exchange
	}
	return 0
}
