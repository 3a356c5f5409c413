package hpack

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	xhpack "golang.org/x/net/http2/hpack"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/decode/arena"
)

// split cuts data into blocks of up to 255 bytes, each preceded by its length.
func split(data []byte) [][]byte {
	var blocks [][]byte
	for len(data) > 0 {
		n := min(int(data[0]), len(data)-1)
		blocks = append(blocks, data[1:1+n])
		data = data[1+n:]
	}
	return blocks
}

// shared knows literals of all blocks that were decoded before.
var shared arena.Arena

// FuzzDecode compares with x/net's decoder until the first fault, and joins
// late, at the block that join says: what is not marked unknown must be the
// same, and nothing may be unknown that can only have come into the table since.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x03\x82\x86\x84\x0a\x40\x01a\x01b\x40\x01c\x01d\x02\xbe\xbf"), byte(1))
	f.Add([]byte("\x0b\x3f\x21\x40\x01a\x011\x40\x01b\x00\x02\xbe\xbe"), byte(1))
	f.Add([]byte("\x08\x41\x84\x1f\xff\xff\xff\xbe\x20\x01\xbf"), byte(1))
	f.Add([]byte("\x05\x40\x01a\x01b\x06\xbe\x40\x01c\x01d\x02\xbe\xbf\x02\x20\x82\x07\x3f\x21\x40\x01e\x01f\x02\xbe\x82"), byte(2))
	f.Fuzz(func(t *testing.T, data []byte, join byte) {
		d, late, known := New(Options{}), New(Options{}), New(Options{})
		known.SetArena(&shared, 0)
		late.Forget()
		x := xhpack.NewDecoder(DefaultTable, nil)
		x.SetAllowedMaxDynamicTableSize(MaxTable)
		lateOK := true
		var lists [][]decode.Field
		for i, block := range split(data) {
			var want []decode.Field
			x.SetEmitFunc(func(h xhpack.HeaderField) {
				want = append(want, decode.Field{Name: h.Name, Value: h.Value, NeverIndexed: h.Sensitive})
			})
			_, err := x.Write(block)
			if cerr := x.Close(); err == nil {
				err = cerr
			}
			got, res := d.Decode(nil, block)
			again, ares := known.Decode(nil, block)
			if diff := cmp.Diff(got, again); diff != "" || res != ares {
				t.Fatalf("block %d %x: with an arena %+v instead of %+v (-without +with):\n%s", i, block, ares, res, diff)
			}
			if res.Fault == FaultUpdate {
				return // x/net lets one pass while its table is empty
			}
			if err != nil && res.Fault == "" && strings.Contains(err.Error(), "dynamic table size update") {
				return // x/net takes a second update for one that is late; RFC 7541 section 4.2 wants two at times
			}
			if (err != nil) != (res.Fault != "") {
				t.Fatalf("block %d %x: fault %q, x/net %v", i, block, res.Fault, err)
			}
			if err == nil {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("block %d %x (-x/net +got):\n%s", i, block, diff)
				}
			}
			lists = append(lists, got)
			if first := max(int(join), 1); i >= first && lateOK {
				lateOK = checkLate(t, late, block, lists, first, res)
			}
			if err != nil {
				return
			}
		}
	})
}

// checkLate reports whether the late decoder may be compared further.
func checkLate(t *testing.T, late *Decoder, block []byte, lists [][]decode.Field, first int, res Result) bool {
	want := lists[len(lists)-1]
	got, lres := late.Decode(nil, block)
	if res.Fault == "" && lres.Fault == "" && len(got) == len(want) {
		for i := range want {
			want[i].NeverIndexed = false // it is no part of an entry
		}
		if why := firstSeen(plain(lists)).checkJoined(first, want, got); why != "" {
			t.Fatalf("late, block %x: %s", block, why)
		}
	}
	for i, f := range got {
		if i >= len(want) {
			break // the other one faulted earlier
		}
		if f.Name != want[i].Name && !f.Unknown || f.Value != want[i].Value && !f.Unknown {
			t.Fatalf("late, block %x field %d: %+v, want %+v", block, i, f, want[i])
		}
	}
	if res.Fault == "" && (lres.Fault != "" || len(got) != len(want)) {
		t.Fatalf("late, block %x: %+v and %d fields, want %d", block, lres, len(got), len(want))
	}
	return res.Fault == ""
}

// FuzzHuffman compares with x/net.
func FuzzHuffman(f *testing.F) {
	f.Add([]byte{0x1f}, 0)
	f.Add(xhpack.AppendHuffmanString(nil, "www.example.com"), 3)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff}, 0)
	f.Fuzz(func(t *testing.T, src []byte, _ int) {
		want, err := xhpack.HuffmanDecodeToString(src)
		got, ok := appendHuffman(nil, src)
		if ok != (err == nil) || ok && string(got) != want {
			t.Fatalf("%x: %v %q, x/net %q %v", src, ok, got, want, err)
		}
	})
}

// plain copies lists without what is no part of a table entry.
func plain(lists [][]decode.Field) [][]decode.Field {
	out := make([][]decode.Field, len(lists))
	for i, list := range lists {
		for _, f := range list {
			out[i] = append(out[i], decode.Field{Name: f.Name, Value: f.Value})
		}
	}
	return out
}
