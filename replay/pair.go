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

// pair is an exchange in the making; one half is nil until it is there.
type pair struct{ req, resp *decode.Message }

// pairs puts the two halves of exchanges together by Message.Exchange.
type pairs struct {
	open  map[uint32]pair
	order []uint32 // of arrival; ids no longer open are skipped
	body  int      // bytes of bodies in open
	out   []pair   // scratch, valid until the next call
}

// add takes a message and returns the exchanges that are finished with it.
func (p *pairs) add(m *decode.Message, limit int) []pair {
	p.out = p.out[:0]
	if m.Exchange == 0 || (m.Kind != decode.Request && m.Kind != decode.Response) {
		return nil
	}
	x := p.open[m.Exchange]
	if m.Kind == decode.Response && x.req == nil && noRequest(m) {
		// Its request will never come: waiting for it would only hide the response.
		p.out = append(p.out, pair{resp: m})
		return p.out
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
	if x.req != nil && x.resp != nil {
		p.close(m.Exchange)
		p.out = append(p.out, x)
		return p.out
	}
	p.wait(m.Exchange, x)
	for len(p.open) > limit {
		p.giveUpOldest()
	}
	return p.out
}

// noRequest reports whether the decoder itself says that the request is lost.
func noRequest(m *decode.Message) bool {
	return slices.ContainsFunc(m.Anomalies, func(a decode.Anomaly) bool { return a.Kind == decode.AnomalyNoRequest })
}

// wait keeps a half until the other one comes. Beyond maxPendingBody it is kept
// without its body, and says so; its message has been handed out whole before.
func (p *pairs) wait(id uint32, x pair) {
	if p.open == nil {
		p.open = map[uint32]pair{}
	}
	n := weight(x)
	if n > 0 && p.body > 0 && p.body+n > maxPendingBody {
		x.req, x.resp = bare(x.req), bare(x.resp)
		n = 0
	}
	p.body += n
	p.open[id] = x
	p.order = append(p.order, id)
	// A stream open for hours beside a million short ones must not make the
	// order list grow without end.
	if len(p.order) > 2*len(p.open)+64 {
		p.order = slices.DeleteFunc(p.order, func(id uint32) bool { _, ok := p.open[id]; return !ok })
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
			p.open[id] = pair{bare(x.req), bare(x.resp)}
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
			p.out = append(p.out, x)
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
	out := make([]pair, len(ids))
	for i, id := range ids {
		out[i] = p.open[id]
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
