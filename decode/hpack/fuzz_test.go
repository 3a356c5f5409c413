package hpack

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	xhpack "golang.org/x/net/http2/hpack"

	"github.com/NoFear0411/spliff/decode"
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

// FuzzDecode compares with x/net's decoder until the first fault, and joins
// late at the second block: what is not marked unknown must be the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x03\x82\x86\x84\x0a\x40\x01a\x01b\x40\x01c\x01d\x02\xbe\xbf"))
	f.Add([]byte("\x0b\x3f\x21\x40\x01a\x011\x40\x01b\x00\x02\xbe\xbe"))
	f.Add([]byte("\x08\x41\x84\x1f\xff\xff\xff\xbe\x20\x01\xbf"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, late := New(Options{}), New(Options{})
		late.Forget()
		x := xhpack.NewDecoder(DefaultTable, nil)
		x.SetAllowedMaxDynamicTableSize(MaxTable)
		lateOK := true
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
			if res.Fault == FaultUpdate {
				return // x/net lets one pass while its table is empty
			}
			if (err != nil) != (res.Fault != "") {
				t.Fatalf("block %d %x: fault %q, x/net %v", i, block, res.Fault, err)
			}
			if err == nil {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("block %d %x (-x/net +got):\n%s", i, block, diff)
				}
			}
			if i > 0 && lateOK {
				lateOK = checkLate(t, late, block, got, res)
			}
			if err != nil {
				return
			}
		}
	})
}

// checkLate reports whether the late decoder may be compared further.
func checkLate(t *testing.T, late *Decoder, block []byte, want []decode.Field, res Result) bool {
	got, lres := late.Decode(nil, block)
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
