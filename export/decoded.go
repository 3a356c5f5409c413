package export

import (
	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/content"
	"github.com/NoFear0411/spliff/replay"
)

// Decoded returns a sink that removes the content codings of the messages in items
// of one kind, and of messages inside exchanges, before s sees them. Up to limit
// bytes of each body are decoded.
//
// Bodies are decoded here, one at a time and only for what is shown, rather than by
// the engine's workers: a kilobyte can decode to any limit, and a batch of messages
// holds thousands of them.
func Decoded(s Sink, kind replay.Kind, limit int) Sink {
	return &decodedSink{Sink: s, kind: kind, limit: limit}
}

type decodedSink struct {
	Sink
	kind  replay.Kind
	limit int
}

// Item implements [Sink]. Messages are shared between items, so copies are filled.
func (d *decodedSink) Item(it *replay.Item) error {
	inner := it.Kind == replay.ItemMessage && it.Message.Kind == decode.Inner
	if it.Kind != d.kind && !inner {
		return d.Sink.Item(it)
	}
	c := *it
	c.Message = d.fill(it.Message)
	if it.Exchange != nil {
		x := *it.Exchange
		x.Request, x.Response = d.fill(x.Request), d.fill(x.Response)
		c.Exchange = &x
	}
	return d.Sink.Item(&c)
}

func (d *decodedSink) fill(m *decode.Message) *decode.Message {
	if m == nil {
		return nil
	}
	c := *m
	content.Fill(&c, d.limit)
	return &c
}
