package conn

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"

	"golang.org/x/net/http2"
	xhpack "golang.org/x/net/http2/hpack"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// end2 is one side of a generated connection of HTTP/2: what it wrote and the
// compression of its header blocks.
type end2 struct {
	out   bytes.Buffer
	fr    *http2.Framer
	block bytes.Buffer
	hp    *xhpack.Encoder
}

// life is a stream: what either side has yet to send on it.
type life struct {
	id     uint32
	method string
	left   [2][]func() // by Dir, in order
}

// talk2 generates a connection of HTTP/2: interleaved streams, padding,
// priorities, CONTINUATION, trailers, interim responses, pushes, resets, table
// size updates and frames that mean nothing.
type talk2 struct {
	r        *rand.Rand
	ends     [2]*end2
	steps    []decodetest.Step
	open     []*life
	next     uint32 // stream that the client opens next
	nextPush uint32
	maxTable uint32 // largest table size announced
	twice    bool   // two size updates may begin a block, which x/net refuses
	sized    [2]bool
	acked    [2]bool
	window   [2]int // DATA that may still be sent, by Dir
	methods  []string
}

func newTalk2(seed uint64, maxTable uint32) *talk2 {
	k := &talk2{r: rand.New(rand.NewPCG(seed, 22)), next: 1, nextPush: 2, maxTable: maxTable, window: [2]int{60000, 60000}}
	for dir := range k.ends {
		e := new(end2)
		e.fr = http2.NewFramer(&e.out, nil)
		e.fr.AllowIllegalWrites = true // priorities on any frame
		e.hp = xhpack.NewEncoder(&e.block)
		k.ends[dir] = e
	}
	return k
}

func (k *talk2) chance(n int) bool { return k.r.IntN(n) == 0 }

func (k *talk2) pick(from ...string) string { return from[k.r.IntN(len(from))] }

// flush makes a step of what a side wrote.
func (k *talk2) flush(dir decode.Dir) {
	e := k.ends[dir]
	if e.out.Len() > 0 {
		k.steps = append(k.steps, decodetest.Step{Dir: dir, Data: e.out.String()})
		e.out.Reset()
	}
}

// play opens streams and lets them live, a frame of one at a time.
func (k *talk2) play() []decodetest.Step {
	k.ends[w].out.WriteString(http2.ClientPreface)
	for dir := range decode.Dir(2) {
		k.settings(dir)
		k.flush(dir)
	}
	left := 1 + k.r.IntN(8)
	for left > 0 || len(k.open) > 0 {
		if left > 0 && (len(k.open) == 0 || k.chance(4)) {
			left--
			k.request()
		} else {
			k.advance()
		}
		k.noise(decode.Dir(k.r.IntN(2)))
		if k.chance(2) {
			k.flush(w)
			k.flush(r)
		}
	}
	k.flush(w)
	k.flush(r)
	return k.steps
}

// settings announces a table size to the other side, whose encoder follows.
func (k *talk2) settings(dir decode.Dir) {
	var list []http2.Setting
	if k.chance(2) {
		n := k.r.Uint32N(k.maxTable + 1)
		list = append(list, http2.Setting{ID: http2.SettingHeaderTableSize, Val: n})
		k.sized[dir.Other()] = true
		k.ends[dir.Other()].hp.SetMaxDynamicTableSizeLimit(n)
	}
	list = append(list, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 100})
	k.ends[dir].fr.WriteSettings(list...)
	k.flush(dir) // the other side's next block follows it
}

// noise writes a frame that belongs to no message, now and then.
func (k *talk2) noise(dir decode.Dir) {
	fr := k.ends[dir].fr
	switch k.r.IntN(24) {
	case 0:
		fr.WritePing(k.chance(2), [8]byte{1, 2, 3})
	case 1:
		fr.WriteWindowUpdate(0, 1+k.r.Uint32N(1000))
	case 2:
		fr.WriteRawFrame(0x42, 0xff, k.r.Uint32N(9), []byte("unknown"))
	case 3:
		if !k.acked[dir] {
			fr.WriteSettingsAck()
		}
		k.acked[dir] = true
	case 4:
		if k.sized[dir] && !k.twice {
			return
		}
		k.sized[dir] = true
		k.ends[dir].hp.SetMaxDynamicTableSize(k.r.Uint32N(k.maxTable + 1))
	case 5:
		if dir == w {
			fr.WritePriority(k.next+20, http2.PriorityParam{StreamDep: 0, Weight: 7})
		}
	case 6:
		fr.WriteRawFrame(0xa, 0, 0, []byte("\x00\x00ALTSVC"))
	}
}

// fields returns a header list after first. Values repeat, so that the dynamic
// table is used, and some forbid it.
func (k *talk2) fields(first ...xhpack.HeaderField) []xhpack.HeaderField {
	out := first
	for range k.r.IntN(7) {
		f := xhpack.HeaderField{
			Name:  k.pick("accept", "x-a", "x-b", "user-agent", "cookie", "cookie", "via", "x_y.z!#$%&'*+^`|~"),
			Value: k.pick("v", "", "a, b", "\x80\xff", strings.Repeat("z", k.r.IntN(300)), fmt.Sprint(k.r.IntN(4))),
		}
		f.Sensitive = k.chance(9)
		out = append(out, f)
	}
	return out
}

// encode makes a header block.
func (k *talk2) encode(dir decode.Dir, list []xhpack.HeaderField) []byte {
	e := k.ends[dir]
	k.sized[dir] = false
	e.block.Reset()
	for _, f := range list {
		e.hp.WriteField(f)
	}
	return bytes.Clone(e.block.Bytes())
}

// headers writes a header block in one frame or several.
func (k *talk2) headers(dir decode.Dir, id uint32, list []xhpack.HeaderField, end bool) {
	block := k.encode(dir, list)
	first, rest := k.split(block)
	p := http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndStream: end, EndHeaders: rest == nil, PadLength: k.pad()}
	if k.chance(5) {
		p.Priority = http2.PriorityParam{StreamDep: id + 2, Weight: 3, Exclusive: k.chance(2)}
	}
	k.ends[dir].fr.WriteHeaders(p)
	k.continuations(dir, id, rest)
}

func (k *talk2) continuations(dir decode.Dir, id uint32, rest []byte) {
	for rest != nil {
		var part []byte
		part, rest = k.split(rest)
		k.ends[dir].fr.WriteContinuation(id, rest == nil, part)
	}
}

// split cuts a block, sometimes; rest is nil when nothing is left to send.
func (k *talk2) split(block []byte) (first, rest []byte) {
	if !k.chance(4) {
		return block, nil
	}
	n := k.r.IntN(len(block) + 1)
	return block[:n:n], append([]byte{}, block[n:]...)
}

func (k *talk2) pad() uint8 { return uint8(k.r.IntN(256) * (k.r.IntN(5) / 4)) }

// request opens a stream and plans what either side sends on it.
func (k *talk2) request() {
	s := &life{id: k.next, method: k.pick("GET", "GET", "HEAD", "POST", "PUT", "X-ODD")}
	k.next += 2
	k.flush(r) // what one side sends comes after what it has read
	k.methods = append(k.methods, s.method)
	head := k.fields(field2(":method", s.method), field2(":scheme", "https"), field2(":authority", "a.test"), field2(":path", k.pick("/", "/a?b", "/long/"+strings.Repeat("p", 90))))
	body := s.method == "POST" || s.method == "PUT"
	trailer := body && k.chance(3)
	s.left[w] = append(s.left[w], func() { k.headers(w, s.id, head, !body && !trailer) })
	if body {
		k.planBody(s, w, trailer)
	}
	k.planResponse(s, s.method == "HEAD", true)
	k.open = append(k.open, s)
	s.left[w][0]()
	s.left[w] = s.left[w][1:]
}

// planBody plans DATA and, if asked, trailers; one of them ends the stream.
func (k *talk2) planBody(s *life, dir decode.Dir, trailer bool) {
	for n := k.r.IntN(4); n >= 0; n-- {
		last := n == 0 && !trailer
		s.left[dir] = append(s.left[dir], func() {
			size := min(k.r.IntN(1+k.r.IntN(1500)), max(k.window[dir]-256, 0))
			data := make([]byte, size)
			for i := range data {
				data[i] = byte(k.r.IntN(256))
			}
			var pad []byte
			if n := k.pad(); n > 0 {
				pad = make([]byte, n)
			}
			k.window[dir] -= size + len(pad) + 1
			k.ends[dir].fr.WriteDataPadded(s.id, last, data, pad)
		})
	}
	if trailer {
		list := append(k.fields(), field2("x-trailer", "t"))
		s.left[dir] = append(s.left[dir], func() { k.headers(dir, s.id, list, true) })
	}
}

// planResponse plans interim responses, a push, the final response and its body.
func (k *talk2) planResponse(s *life, bare, push bool) {
	for k.chance(5) {
		list := k.fields(field2(":status", k.pick("100", "103")))
		s.left[r] = append(s.left[r], func() { k.headers(r, s.id, list, false) })
	}
	if push && k.chance(5) {
		s.left[r] = append(s.left[r], func() { k.push(s.id) })
	}
	status := k.pick("200", "200", "204", "304", "404", "500")
	bare = bare || status == "204" || status == "304"
	trailer := !bare && k.chance(3)
	body := !bare && k.chance(4) || trailer || !bare && k.chance(2)
	list := k.fields(field2(":status", status))
	s.left[r] = append(s.left[r], func() { k.headers(r, s.id, list, !body) })
	if body {
		k.planBody(s, r, trailer)
	}
}

// push promises a stream and plans its response.
func (k *talk2) push(on uint32) {
	s := &life{id: k.nextPush, method: "GET"}
	k.nextPush += 2
	list := k.fields(field2(":method", "GET"), field2(":scheme", "https"), field2(":authority", "a.test"), field2(":path", "/pushed"))
	first, rest := k.split(k.encode(r, list))
	k.ends[r].fr.WritePushPromise(http2.PushPromiseParam{StreamID: on, PromiseID: s.id, BlockFragment: first, EndHeaders: rest == nil, PadLength: k.pad()})
	k.continuations(r, on, rest)
	k.planResponse(s, false, false)
	k.open = append(k.open, s)
}

// advance sends the next frame of a stream, or resets it.
func (k *talk2) advance() {
	at := k.r.IntN(len(k.open))
	s := k.open[at]
	dir := decode.Dir(k.r.IntN(2))
	if len(s.left[dir]) == 0 {
		dir = dir.Other()
	}
	k.flush(dir.Other())
	if k.chance(40) {
		k.flush(w)
		k.ends[r].fr.WriteRSTStream(s.id, http2.ErrCodeCancel)
		s.left = [2][]func(){}
	} else {
		next := s.left[dir][0]
		s.left[dir] = s.left[dir][1:]
		next()
	}
	if len(s.left[w])+len(s.left[r]) == 0 {
		for i, o := range k.open {
			if o == s {
				k.open = append(k.open[:i], k.open[i+1:]...)
				break
			}
		}
	}
}

func field2(name, value string) xhpack.HeaderField {
	return xhpack.HeaderField{Name: name, Value: value}
}
