package replay

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/format"
)

// randomSession makes events of many interleaved connections with everything
// that can happen to them: loss, repeats, ends, exits, a second section.
func randomSession(r *rand.Rand, n int) []format.Event {
	s := new(script).session(1 << 60)
	s.probe(1, "openssl")
	type half struct{ off uint64 }
	state := map[uint32]*[2]half{}
	data := func(id uint32, dir format.Dir) {
		st := state[id]
		if st == nil {
			st = new([2]half)
			state[id] = st
		}
		h := &st[dir-1]
		text := []string{"Q" + fmt.Sprint(s.evs[len(s.evs)-1].Seq) + "\n", "R" + fmt.Sprint(id) + "\n", "Qhalf", "\n", "Nlone\n", "opaque\n", "Qa\nQb\nRc\n"}[r.IntN(7)]
		switch r.IntN(12) {
		case 0:
			h.off += uint64(r.IntN(9))
		case 1:
			h.off -= min(h.off, uint64(r.IntN(4)))
		}
		s.add(format.Event{Type: format.TypeData, Dir: dir, Conn: id, Probe: uint8(r.IntN(2)), Offset: h.off, Payload: []byte(text)})
		h.off += uint64(len(text))
	}
	for len(s.evs) < n {
		id := uint32(1 + r.IntN(40))
		pid := id%5 + 1
		switch k := r.IntN(100); {
		case k < 70:
			data(id, format.Dir(1+r.IntN(2)))
		case k < 78:
			s.conn(id, format.Conn{PID: pid, Role: format.Role(r.IntN(3)), ALPN: []string{"", "h2"}[r.IntN(2)]})
		case k < 82:
			s.conn(id, format.Conn{PID: pid}, format.FlagRepeat)
		case k < 86:
			s.end(id, format.ConnEnd{Reason: format.EndReason(r.IntN(5)), Written: uint64(r.IntN(200)), Read: uint64(r.IntN(200))})
			delete(state, id)
		case k < 89:
			s.proc(format.Proc{PID: pid, Comm: fmt.Sprint("p", r.IntN(3))})
		case k < 91:
			s.procEnd(pid)
		case k < 94:
			s.handshake(id)
		case k < 97:
			s.drop(id*uint32(r.IntN(2)), format.Drop{Bytes: uint64(r.IntN(9))})
		case k < 98 && len(s.evs) > n/2 && r.IntN(8) == 0:
			s.finish().session(1 << 61)
			clear(state)
		}
	}
	return s.evs
}

func TestSameItemsForAnyWorkersAndBatches(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 1))
		evs := randomSession(r, 1200)
		o := Options{Data: seed%2 == 0, MaxConns: []int{0, 10}[seed%2]}
		want, wantSum := play(t, evs, o)
		wantText := dump(want)
		if wantSum.Exchanges < 100 || wantSum.Gaps < 30 {
			t.Fatalf("seed %d: session too tame to prove anything: %+v", seed, wantSum)
		}
		for _, workers := range []int{0, 1, 2, 3, 8} {
			for _, ops := range []int{1, 1 + r.IntN(60), 5000} {
				o.Workers = workers
				got, sum := playCut(t, r, evs, o, ops)
				name := fmt.Sprintf("seed %d, %d workers, %d ops a batch", seed, workers, ops)
				if text := dump(got); text != wantText {
					t.Fatalf("%s (-want +got):\n%s", name, cmp.Diff(wantText, text))
				}
				if !reflect.DeepEqual(want, got) { // cmp is too slow to ask first
					t.Fatalf("%s (-want +got):\n%s", name, cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})))
				}
				if d := cmp.Diff(wantSum, sum); d != "" {
					t.Fatalf("%s: summary (-want +got):\n%s", name, d)
				}
			}
		}
	}
}

// playCut is play with small batches and flushes at random places. Payloads are
// scribbled over after each Push: the engine must not keep them.
func playCut(t *testing.T, r *rand.Rand, evs []format.Event, o Options, ops int) ([]*Item, Summary) {
	t.Helper()
	var items []*Item
	e := newEngine(o, func(it *Item) error { items = append(items, it); return nil }, newLineDecoder, ops, 1+r.IntN(4000))
	var buf []byte
	for i := range evs {
		ev := evs[i]
		buf = append(buf[:0], ev.Payload...)
		ev.Payload = buf
		if err := e.Push(&ev); err != nil {
			t.Fatal(err)
		}
		copy(buf, bytes.Repeat([]byte{0xee}, len(buf)))
		if r.IntN(100) == 0 {
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	sum, err := e.Close()
	if err != nil {
		t.Fatal(err)
	}
	return items, sum
}

func FuzzEngine(f *testing.F) {
	for seed := range uint64(3) {
		f.Add(seed, []byte{1, 8, 200, 17, 99, 4, 4, 90, 255, 0, 31})
	}
	f.Fuzz(func(t *testing.T, seed uint64, wild []byte) {
		r := rand.New(rand.NewPCG(seed, 2))
		evs := randomSession(r, 60)
		// Each three bytes of the input spoil one event.
		for i := 0; i+2 < len(wild); i += 3 {
			ev := &evs[int(wild[i])%len(evs)]
			switch wild[i+1] % 8 {
			case 0:
				ev.Type = format.Type(wild[i+2])
			case 1:
				ev.Conn = uint32(wild[i+2])
			case 2:
				ev.Offset = ^uint64(0) - uint64(wild[i+2])
			case 3:
				ev.Dir = format.Dir(wild[i+2])
			case 4:
				ev.Flags ^= format.FlagRepeat
			case 5:
				ev.Payload = wild
			case 6:
				ev.Time = ^uint64(0) >> (wild[i+2] % 64)
			case 7:
				ev.Payload = ev.Payload[:min(len(ev.Payload), int(wild[i+2]))]
			}
		}
		o := Options{Data: seed%2 == 0, MaxConns: 1 + int(seed%7)}
		want, wantSum := play(t, evs, o)
		o.Workers = 2
		got, gotSum := playCut(t, r, evs, o, 1+r.IntN(9))
		if d := cmp.Diff(dump(want), dump(got)); d != "" {
			t.Errorf("2 workers differ from none:\n%s", d)
		}
		if wantSum != gotSum {
			t.Errorf("summaries differ: %+v, %+v", wantSum, gotSum)
		}
	})
}

// muteDecoder says nothing, so that the benchmark weighs the engine alone.
type muteDecoder struct{ lineDecoder }

func (*muteDecoder) Append(dst []decode.Message, _ decode.Chunk) []decode.Message { return dst }

func BenchmarkEngine(b *testing.B) {
	s := new(script).session(0)
	body := string(bytes.Repeat([]byte("x"), 1000))
	for i := range uint64(8000) {
		s.write(uint32(i%32+1), i/32*1000, body)
	}
	for _, workers := range []int{0, 1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			for i := range s.evs {
				s.evs[i].Offset = 0
			}
			for i := 1; i < len(s.evs); i++ {
				s.evs[i].Offset = uint64((i - 1) / 32 * 1000)
			}
			b.SetBytes(8000 * 1000)
			b.ReportAllocs()
			mk := func(decode.Limits) decoder { return &muteDecoder{} }
			e := newEngine(Options{Workers: workers}, func(*Item) error { return nil }, mk, batchOps, batchBytes)
			for b.Loop() {
				for i := range s.evs {
					if err := e.Push(&s.evs[i]); err != nil {
						b.Fatal(err)
					}
					s.evs[i].Offset += 250 * 1000 // or the next round is all overlap
				}
			}
			if _, err := e.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
