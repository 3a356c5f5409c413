package replay

import (
	"cmp"
	"slices"

	"github.com/NoFear0411/spliff/decode"
)

// maxPendingBody bounds the body bytes of one connection's requests that wait
// for their response. One request is always kept whole; a thousand pipelined
// uploads that are never answered are the attack.
const maxPendingBody = 64 << 20

// pair is an exchange in the making; one half is nil until it is there. Its inner
// messages may come before either.
type pair struct {
	req, resp *decode.Message
	inner     *Inner
	last      [2]bool // by direction: the last inner message was seen
}

// done reports whether nothing more comes.
func (x *pair) done() bool {
	if x.resp == nil || x.req == nil && !noRequest(x.resp) {
		return false
	}
	return x.resp.Flags&decode.Continued == 0 || x.last[0] && x.last[1]
}

// empty reports whether there is no half, only messages that came when the
// exchange was over.
func (x *pair) empty() bool { return x.req == nil && x.resp == nil }

// pairs puts the two halves of exchanges together by Message.Exchange.
type pairs struct {
	open  map[uint32]pair
	order []uint32 // of arrival; ids no longer open are skipped
	body  int      // bytes of bodies in open
	out   []pair   // scratch, valid until the next call
	// client is the direction in which the client's messages travel.
	client decode.Dir
}

// add takes a message and returns the exchanges that are finished with it.
func (p *pairs) add(m *decode.Message, limit int) []pair {
	p.out = p.out[:0]
	if m.Exchange == 0 {
		return nil
	}
	x, known := p.open[m.Exchange]
	if m.Kind != decode.Request && m.Kind != decode.Response {
		return p.addInside(m, x, known, limit)
	}
	// A number given twice must not overwrite a message: what was there goes out
	// as it is.
	if (m.Kind == decode.Request && x.req != nil) || (m.Kind == decode.Response && x.resp != nil) {
		p.close(m.Exchange)
		p.out = append(p.out, x)
		x = pair{}
	}
	if m.Kind == decode.Request {
		x.req = m
	} else {
		x.resp = m
	}
	// A response whose request will never come does not wait: that would only hide it.
	if x.done() {
		p.close(m.Exchange)
		p.out = append(p.out, x)
		return p.out
	}
	p.wait(m.Exchange, x, limit)
	return p.out
}

// addInside takes a message inside an exchange, or the news that none follows.
func (p *pairs) addInside(m *decode.Message, x pair, known bool, limit int) []pair {
	if m.Kind != decode.Inner && (!known || m.Flags&decode.Last == 0) {
		return nil
	}
	if m.Kind == decode.Inner {
		if x.inner == nil {
			x.inner = &Inner{Proto: m.Proto}
		}
		x.inner.count(m, m.Dir == p.client)
	}
	x.last[m.Dir] = x.last[m.Dir] || m.Flags&decode.Last != 0
	switch {
	case x.done():
		p.close(m.Exchange)
		p.out = append(p.out, x)
	case known:
		p.open[m.Exchange] = x
	default:
		p.wait(m.Exchange, x, limit)
	}
	return p.out
}

// noRequest reports whether the decoder itself says that the request is lost.
func noRequest(m *decode.Message) bool {
	return slices.ContainsFunc(m.Anomalies, func(a decode.Anomaly) bool { return a.Kind == decode.AnomalyNoRequest })
}

// wait keeps a half until the other one comes. Beyond maxPendingBody it is kept
// without its body, and says so; its message has been handed out whole before.
func (p *pairs) wait(id uint32, x pair, limit int) {
	if p.open == nil {
		p.open = map[uint32]pair{}
	}
	n := weight(x)
	if n > 0 && p.body > 0 && p.body+n > maxPendingBody {
		x.req, x.resp = bare(x.req), bare(x.resp)
		n = 0
	}
	if old, ok := p.open[id]; ok {
		p.body -= weight(old)
	} else {
		p.order = append(p.order, id)
	}
	p.body += n
	p.open[id] = x
	// A stream open for hours beside a million short ones must not make the
	// order list grow without end.
	if len(p.order) > 2*len(p.open)+64 {
		p.order = slices.DeleteFunc(p.order, func(id uint32) bool { _, ok := p.open[id]; return !ok })
	}
	for len(p.open) > limit {
		p.giveUpOldest()
	}
}

func (p *pairs) close(id uint32) {
	if old, ok := p.open[id]; ok {
		p.body -= weight(old)
		delete(p.open, id)
	}
}

// shed drops the bodies of what waits.
func (p *pairs) shed() {
	for id, x := range p.open {
		if weight(x) > 0 {
			x.req, x.resp = bare(x.req), bare(x.resp)
			p.open[id] = x
		}
	}
	p.body = 0
}

func (p *pairs) giveUpOldest() {
	for len(p.order) > 0 {
		id := p.order[0]
		p.order = p.order[1:]
		if x, ok := p.open[id]; ok {
			p.close(id)
			if !x.empty() {
				p.out = append(p.out, x)
			}
			return
		}
	}
}

// rest returns what never found its other half, by exchange number.
func (p *pairs) rest() []pair {
	ids := make([]uint32, 0, len(p.open))
	for id := range p.open {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare[uint32])
	out := make([]pair, 0, len(ids))
	for _, id := range ids {
		if x := p.open[id]; !x.empty() {
			out = append(out, x)
		}
	}
	return out
}

func weight(x pair) int {
	n := 0
	for _, m := range [2]*decode.Message{x.req, x.resp} {
		if m != nil {
			n += len(m.Body.Data)
			if len(m.Body.Codings) > 0 {
				n += len(m.Body.Content)
			}
		}
	}
	return n
}

// bare returns m without the bytes of its body. m itself was handed out.
func bare(m *decode.Message) *decode.Message {
	if m == nil || m.Body.Data == nil && m.Body.Content == nil {
		return m
	}
	c := *m
	c.Body.Data, c.Body.Content, c.Body.Cut = nil, nil, true
	c.Anomalies = append(slices.Clip(c.Anomalies), decode.Anomaly{
		Kind: decode.AnomalyLimit, Dir: m.Dir, Detail: "body not kept: too much waits for its other half",
	})
	return &c
}
