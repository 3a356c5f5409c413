package export

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/replay"
)

// Decoded returns a sink that removes the content codings of the messages in
// exchanges, and of those inside them, before s sees them. Up to limit bytes of each
// body are decoded. [NewText] decodes what it prints by itself: it prints requests
// before their exchange.
//
// Bodies are decoded here, one at a time and only for what is shown, rather than by
// the engine's workers: a kilobyte can decode to any limit, and a batch of messages
// holds thousands of them. What s is given is valid during the call.
func Decoded(s Sink, limit int) Sink {
	return &decodedSink{Sink: s, limit: limit}
}

type decodedSink struct {
	Sink
	limit int

	// What s is given, used again for each item: s keeps nothing.
	item     replay.Item
	exchange replay.Exchange
	messages [3]decode.Message
}

// Item implements [Sink]. Messages are shared between items, so copies are filled.
func (d *decodedSink) Item(it *replay.Item) error {
	inner := it.Kind == replay.ItemMessage && it.Message.Kind == decode.Inner
	if it.Kind != replay.ItemExchange && !inner || it.Rendered != nil {
		return d.Sink.Item(it)
	}
	c := &d.item
	*c = *it
	c.Message = d.fill(0, it.Message)
	if it.Exchange != nil {
		x := &d.exchange
		*x = *it.Exchange
		x.Request, x.Response = d.fill(1, x.Request), d.fill(2, x.Response)
		c.Exchange = x
	}
	err := d.Sink.Item(c)
	for i := range d.messages {
		d.messages[i].Body = decode.Body{} // a large one must not be kept alive
	}
	return err
}

// fill returns a filled copy of m.
func (d *decodedSink) fill(i int, m *decode.Message) *decode.Message {
	if m == nil {
		return nil
	}
	c := &d.messages[i]
	*c = *m
	content.Fill(c, d.limit)
	return c
}
