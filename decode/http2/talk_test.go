package http2

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	xhpack "golang.org/x/net/http2/hpack"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/decodetest"
)

// side writes one direction of a conversation. Header blocks come from x/net's
// encoder; frames are written here, as some must be wrong.
type side struct {
	t   testing.TB
	out bytes.Buffer
	blk bytes.Buffer
	enc *xhpack.Encoder
	rng *rand.Rand
}

func newSide(t testing.TB, rng *rand.Rand) *side {
	s := &side{t: t, rng: rng}
	s.enc = xhpack.NewEncoder(&s.blk)
	return s
}

// frame writes one frame.
func (s *side) frame(typ, flags byte, id uint32, payload ...byte) {
	n := len(payload)
	s.out.Write([]byte{byte(n >> 16), byte(n >> 8), byte(n), typ, flags})
	s.out.Write(binary.BigEndian.AppendUint32(nil, id))
	s.out.Write(payload)
}

// padded writes a frame with random padding.
func (s *side) padded(typ, flags byte, id uint32, payload []byte) {
	pad := s.rng.IntN(256)
	p := append([]byte{byte(pad)}, payload...)
	s.frame(typ, flags|flagPadded, id, append(p, make([]byte, pad)...)...)
}

// settings writes SETTINGS of id, value pairs.
func (s *side) settings(pairs ...uint32) {
	var p []byte
	for i := 0; i < len(pairs); i += 2 {
		p = binary.BigEndian.AppendUint16(p, uint16(pairs[i]))
		p = binary.BigEndian.AppendUint32(p, pairs[i+1])
	}
	s.frame(frameSettings, 0, 0, p...)
}

func (s *side) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *side) encode(fields ...string) []byte {
	s.blk.Reset()
	for i := 0; i < len(fields); i += 2 {
		s.must(s.enc.WriteField(xhpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	return bytes.Clone(s.blk.Bytes())
}

// block writes a header block, at random padded, with priority, or split.
func (s *side) block(id uint32, end bool, fields ...string) {
	part := s.encode(fields...)
	flags := byte(flagEndHeaders)
	var rest [][]byte
	if s.rng != nil {
		for s.rng.IntN(3) == 0 && len(part) > 1 {
			n := s.rng.IntN(len(part))
			rest = append(rest, part[n:])
			part, flags = part[:n], 0
		}
	}
	if end {
		flags |= flagEndStream
	}
	if s.rng != nil && s.rng.IntN(3) == 0 {
		flags |= flagPriority
		part = append([]byte{0, 0, 0, byte(id + 2), 7}, part...)
	}
	if s.rng != nil && s.rng.IntN(3) == 0 {
		s.padded(frameHeaders, flags, id, part)
	} else {
		s.frame(frameHeaders, flags, id, part...)
	}
	for i := len(rest) - 1; i >= 0; i-- {
		flags = 0
		if i == 0 {
			flags = flagEndHeaders
		}
		s.frame(frameContinuation, flags, id, rest[i]...)
	}
}

func (s *side) data(id uint32, end bool, b []byte) {
	flags := byte(0)
	if end {
		flags = flagEndStream
	}
	if s.rng != nil && s.rng.IntN(4) == 0 {
		s.padded(frameData, flags, id, b)
		return
	}
	s.frame(frameData, flags, id, b...)
}

// noise writes a frame that says nothing about messages.
func (s *side) noise() {
	switch s.rng.IntN(6) {
	case 0:
		s.frame(framePing, byte(s.rng.IntN(2)), 0, make([]byte, 8)...)
	case 1:
		s.frame(frameWindow, 0, 0, 0, 0, 1, 0)
	case 2:
		s.frame(0xee, 0x55, uint32(s.rng.IntN(9)), []byte("extension")...)
	case 3:
		s.frame(frameSettings, flagAck, 0)
	case 4:
		s.frame(framePriority, 0, uint32(1+2*s.rng.IntN(99)), 0, 0, 0, 0, 1)
	}
}

func (s *side) bytes() []byte { return slices.Clone(s.out.Bytes()) }

// word returns random text of a kind that header values have.
func word(rng *rand.Rand, n int) string {
	const set = "abcdefghijklmnopqrstuvwxyz0123456789-_=;, /%ABC\"\\\x80\xff"
	b := make([]byte, rng.IntN(n+1))
	for i := range b {
		b[i] = set[rng.IntN(len(set))]
	}
	return "x" + string(b) + "z"
}

// conversation generates n exchanges and what must be decoded of them.
func conversation(t testing.TB, seed uint64, n int) (pieces []decodetest.Step, want map[string]decode.Message) {
	rng := rand.New(rand.NewPCG(seed, 99))
	cl, sv := newSide(t, rng), newSide(t, rng)
	cl.out.WriteString(Preface)
	cl.settings(settingTableSize, 8192, settingWindow, 1<<30)
	sv.settings(settingTableSize, 65536, settingWindow, 1<<30)
	cl.frame(frameWindow, 0, 0, 0x20, 0, 0, 0) // nobody here waits for a window
	sv.frame(frameWindow, 0, 0, 0x20, 0, 0, 0)
	want = make(map[string]decode.Message)
	var todo []func() // what is still to be written, in an order drawn at random
	for i := range n {
		id := uint32(1 + 2*i)
		if rng.IntN(10) == 0 {
			cl.enc.SetMaxDynamicTableSizeLimit(65536)
			cl.enc.SetMaxDynamicTableSize(uint32(rng.IntN(9000)))
		}
		todo = append(todo, message(rng, cl, id, decode.Request, uint32(i+1), want)...)
		todo = append(todo, message(rng, sv, id, decode.Response, uint32(i+1), want)...)
		// Messages of a stream keep their order, streams interleave.
		for len(todo) > 6 || i == n-1 && len(todo) > 0 {
			todo[0]()
			todo = todo[1:]
			if rng.IntN(4) == 0 {
				cl.noise()
				sv.noise()
			}
			if rng.IntN(5) == 0 {
				pieces = append(pieces, decodetest.Step{Dir: c2s, Data: cl.out.String()}, decodetest.Step{Dir: s2c, Data: sv.out.String()})
				cl.out.Reset()
				sv.out.Reset()
			}
		}
	}
	return append(pieces, decodetest.Step{Dir: c2s, Data: cl.out.String()}, decodetest.Step{Dir: s2c, Data: sv.out.String()}), want
}

// message draws a message and returns the steps that write it.
func message(rng *rand.Rand, s *side, id uint32, kind decode.Kind, exchange uint32, want map[string]decode.Message) []func() {
	m := decode.Message{Kind: kind, Exchange: exchange, Stream: id, Proto: "HTTP/2", Dir: c2s}
	var fields []string
	if kind == decode.Request {
		m.Method, m.Scheme = []string{"GET", "POST", "PUT"}[rng.IntN(3)], "https"
		m.Authority, m.Target = word(rng, 20), "/"+word(rng, 60)
		fields = []string{":method", m.Method, ":scheme", m.Scheme, ":authority", m.Authority, ":path", m.Target}
	} else {
		m.Dir, m.Status = s2c, 200+rng.IntN(300)
		if m.Status == 204 || m.Status == 304 {
			m.Status++
		}
		fields = []string{":status", strconv.Itoa(m.Status)}
	}
	for range rng.IntN(12) {
		f := decode.Field{Name: "h-" + strconv.Itoa(rng.IntN(20)), Value: word(rng, 1+rng.IntN(100))}
		m.Header = append(m.Header, f)
		fields = append(fields, f.Name, f.Value)
	}
	body := make([]byte, rng.IntN(3)*rng.IntN(5000))
	for i := range body {
		body[i] = byte(rng.Uint32())
	}
	if rng.IntN(2) == 0 {
		f := decode.Field{Name: "content-length", Value: strconv.Itoa(len(body))}
		m.Header = append(m.Header, f)
		fields = append(fields, f.Name, f.Value)
	}
	trailers := rng.IntN(4) == 0
	steps := []func(){}
	if kind == decode.Response && rng.IntN(4) == 0 {
		m.Interim = []decode.Interim{{Status: 103, Header: []decode.Field{{Name: "link", Value: "a"}}}}
		steps = append(steps, func() { s.block(id, false, ":status", "103", "link", "a") })
	}
	steps = append(steps, func() { s.block(id, len(body) == 0 && !trailers, fields...) })
	m.Body.Size = uint64(len(body))
	if len(body) > 0 {
		m.Body.Data = body
	}
	for rest := body; len(rest) > 0; {
		part := rest[:1+rng.IntN(len(rest))]
		rest = rest[len(part):]
		last := len(rest) == 0 && !trailers
		steps = append(steps, func() { s.data(id, last, part) })
	}
	if trailers {
		m.Trailer = []decode.Field{{Name: "x-sum", Value: word(rng, 9)}}
		steps = append(steps, func() { s.block(id, true, "x-sum", m.Trailer[0].Value) })
	}
	want[fmt.Sprintf("%d/%d", id, kind)] = m
	return steps
}

// TestConversations compares with what the generator put in, exactly.
func TestConversations(t *testing.T) {
	for seed := range uint64(20) {
		pieces, want := conversation(t, seed, 25)
		// With every piece fed in order, a response may come before its
		// request; exchange numbers follow the stream's first frame all the same.
		got := runAll(t, pieces, options{})
		for _, m := range got {
			key := fmt.Sprintf("%d/%d", m.Stream, m.Kind)
			w, ok := want[key]
			if !ok {
				t.Fatalf("seed %d: unexpected %+v", seed, m)
			}
			delete(want, key)
			w.Exchange = m.Exchange
			if !reflect.DeepEqual(w, m) {
				t.Fatalf("seed %d %s (-want +got)\n%s", seed, key, cmp.Diff(w, m))
			}
		}
		if len(want) > 0 {
			t.Fatalf("seed %d: %d messages are missing", seed, len(want))
		}
	}
}

// TestGapsAnywhere loses a range of bytes and checks that what is claimed to be
// complete is right, and that decoding comes back.
func TestGapsAnywhere(t *testing.T) {
	back := 0
	for seed := range uint64(60) {
		pieces, want := conversation(t, seed%10, 25)
		rng := rand.New(rand.NewPCG(seed, 5))
		var data [2]string
		for _, p := range pieces {
			data[p.Dir] += p.Data
		}
		dir := decode.Dir(rng.IntN(2))
		all := data[dir]
		from := len(Preface) + rng.IntN(len(all)/2)
		n := 1 + rng.IntN(3000)
		gap := n
		if seed%3 == 0 {
			gap = decodetest.Unknown
		}
		cut := []decodetest.Step{
			{Dir: dir, Data: all[:from]}, {Dir: dir, Gap: gap}, {Dir: dir, Data: all[min(from+n, len(all)):]},
			{Dir: dir.Other(), Data: data[dir.Other()]},
		}
		late := false
		for _, m := range runCuts(t, cut, options{}, seed+2) {
			w, ok := want[fmt.Sprintf("%d/%d", m.Stream, m.Kind)]
			if m.Kind == decode.Notice {
				continue
			}
			if !ok {
				t.Fatalf("seed %d: invented %+v", seed, m)
			}
			whole := m.Flags&(decode.Incomplete|decode.Gapped|decode.MidStream) == 0
			if whole && (m.Status != w.Status && !unknown(m.Header) || !bytes.Equal(m.Body.Data, w.Body.Data)) {
				t.Fatalf("seed %d: stream %d is claimed complete\n%s", seed, m.Stream, cmp.Diff(w, m))
			}
			checkFields(t, seed, m.Header, w.Header)
			checkFields(t, seed, m.Trailer, w.Trailer)
			late = late || m.Dir == dir && m.Stream > 45 && whole
		}
		if late {
			back++
		}
	}
	if back < 40 {
		t.Errorf("decoding came back in %d of 60 cases", back)
	}
}

func unknown(fields []decode.Field) bool {
	return slices.ContainsFunc(fields, func(f decode.Field) bool { return f.Unknown })
}

// checkFields checks that no value is shown under a name that did not have it.
func checkFields(t *testing.T, seed uint64, got, want []decode.Field) {
	t.Helper()
	for _, f := range got {
		known := !f.Unknown && !strings.HasPrefix(f.Name, ":")
		if known && !slices.Contains(want, decode.Field{Name: f.Name, Value: f.Value}) {
			t.Fatalf("seed %d: %+v was never sent there; %+v", seed, f, want)
		}
	}
}
