package hpack

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	xhpack "golang.org/x/net/http2/hpack"

	"github.com/NoFear0411/spliff/decode"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func field(name, value string) decode.Field { return decode.Field{Name: name, Value: value} }

var lost = decode.Field{Name: Unknown, Value: Unknown, Unknown: true}

// The cases are written out from the representations of RFC 7541 §6.
func TestDecode(t *testing.T) {
	tests := []struct {
		name   string
		late   bool
		blocks []string
		want   [][]decode.Field
		fault  Fault // of the last block
	}{
		{
			name:   "static index",
			blocks: []string{"82 86 84"},
			want:   [][]decode.Field{{field(":method", "GET"), field(":scheme", "http"), field(":path", "/")}},
		},
		{
			name:   "never indexed is marked and not stored",
			blocks: []string{"10 01 61 01 62", "be"},
			want:   [][]decode.Field{{{Name: "a", Value: "b", NeverIndexed: true}}, nil},
			fault:  FaultIndex,
		},
		{
			name:   "insert then refer, newest first",
			blocks: []string{"40 01 61 01 31 40 01 62 01 32", "be bf", "7e 01 33"},
			want: [][]decode.Field{
				{field("a", "1"), field("b", "2")},
				{field("b", "2"), field("a", "1")},
				{field("b", "3")},
			},
		},
		{
			name:   "index 0",
			blocks: []string{"82 80"},
			want:   [][]decode.Field{{field(":method", "GET")}},
			fault:  FaultIndex,
		},
		{
			name:   "index past the table",
			blocks: []string{"be"},
			want:   [][]decode.Field{nil},
			fault:  FaultIndex,
		},
		{
			name:   "name index past the table",
			blocks: []string{"0f 2f 01 62"},
			want:   [][]decode.Field{nil},
			fault:  FaultIndex,
		},
		{
			name:   "after a fault older entries are unknown, newer ones right",
			blocks: []string{"40 01 61 01 31", "80", "40 01 62 01 32", "be bf 7f 00 01 39", "be bf"},
			want: [][]decode.Field{
				{field("a", "1")}, nil, {field("b", "2")},
				{field("b", "2"), lost, {Name: Unknown, Value: "9", Unknown: true}},
				{{Name: Unknown, Value: "9", Unknown: true}, field("b", "2")},
			},
		},
		{
			name:   "joined late",
			late:   true,
			blocks: []string{"82 be c0 40 01 61 01 31", "be bf"},
			want: [][]decode.Field{
				{field(":method", "GET"), lost, lost, field("a", "1")},
				{field("a", "1"), lost},
			},
		},
		{
			name:   "joined late: a size update to nothing makes the table certain",
			late:   true,
			blocks: []string{"20 3f e1 1f 40 01 61 01 31", "bf"},
			want:   [][]decode.Field{{field("a", "1")}, nil},
			fault:  FaultIndex,
		},
		{
			name:   "joined late: no table is large enough for this index",
			late:   true,
			blocks: []string{"ff ff ff 03"},
			want:   [][]decode.Field{nil},
			fault:  FaultIndex,
		},
		{
			name: "eviction: 64 octets hold one of these",
			// 3f 21: size 64.
			blocks: []string{"3f 21 40 01 61 01 31 40 01 62 01 32", "be", "bf"},
			want:   [][]decode.Field{{field("a", "1"), field("b", "2")}, {field("b", "2")}, nil},
			fault:  FaultIndex,
		},
		{
			name:   "an entry larger than the table empties it",
			blocks: []string{"3f 04 40 01 61 01 31 40 02 61 61 02 32 32", "be"},
			want:   [][]decode.Field{{field("a", "1"), field("aa", "22")}, nil},
			fault:  FaultIndex,
		},
		{
			name:   "size update above what any side could know",
			blocks: []string{"3f e1 ff ff ff 03 82"},
			want:   [][]decode.Field{nil},
			fault:  FaultSize,
		},
		{
			name:   "size update after a field",
			blocks: []string{"82 20"},
			want:   [][]decode.Field{{field(":method", "GET")}},
			fault:  FaultUpdate,
		},
		{
			name:   "integer with ten continuation octets",
			blocks: []string{"ff 80 80 80 80 80 80 80 80 80 01"},
			want:   [][]decode.Field{nil},
			fault:  FaultInteger,
		},
		{
			name:   "integer above 2^32",
			blocks: []string{"ff ff ff ff ff ff 01"},
			want:   [][]decode.Field{nil},
			fault:  FaultInteger,
		},
		{
			name:   "ends inside an integer",
			blocks: []string{"ff"},
			want:   [][]decode.Field{nil},
			fault:  FaultTruncated,
		},
		{
			name:   "ends inside a string",
			blocks: []string{"40 01 61 05 31"},
			want:   [][]decode.Field{nil},
			fault:  FaultTruncated,
		},
		{
			name:   "ends before a string",
			blocks: []string{"40"},
			want:   [][]decode.Field{nil},
			fault:  FaultTruncated,
		},
		{
			name:   "Huffman EOS",
			blocks: []string{"40 01 61 84 ff ff ff ff"},
			want:   [][]decode.Field{nil},
			fault:  FaultHuffman,
		},
		{
			name:   "Huffman padding of eight ones",
			blocks: []string{"40 01 61 82 1f ff"},
			want:   [][]decode.Field{nil},
			fault:  FaultHuffman,
		},
		{
			name:   "Huffman padding with a zero",
			blocks: []string{"40 01 61 81 18"},
			want:   [][]decode.Field{nil},
			fault:  FaultHuffman,
		},
		{
			name:   "Huffman",
			blocks: []string{"40 01 61 81 1f"},
			want:   [][]decode.Field{{field("a", "a")}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := New(Options{})
			if tt.late {
				d.Forget()
			}
			for i, b := range tt.blocks {
				got, res := d.Decode(nil, unhex(t, b))
				if diff := cmp.Diff(tt.want[i], got); diff != "" {
					t.Errorf("block %d (-want +got):\n%s", i, diff)
				}
				unknown := 0
				for _, f := range tt.want[i] {
					if f.Unknown {
						unknown++
					}
				}
				if res.Unknown != unknown {
					t.Errorf("block %d: Unknown = %d, want %d", i, res.Unknown, unknown)
				}
				if i == len(tt.blocks)-1 && res.Fault != tt.fault {
					t.Errorf("Fault = %q, want %q", res.Fault, tt.fault)
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Run("fields", func(t *testing.T) {
		d := New(Options{Fields: 3})
		got, res := d.Decode(nil, unhex(t, "82 82 82 82 40 01 61 01 31"))
		if len(got) != 3 || res.Dropped != 2 || res.Fault != "" {
			t.Fatalf("got %d fields, %+v", len(got), res)
		}
		// The dropped field is in the table all the same.
		got, _ = d.Decode(nil, unhex(t, "be"))
		if diff := cmp.Diff([]decode.Field{field("a", "1")}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("list stops the bomb", func(t *testing.T) {
		d := New(Options{List: 10_000})
		block := xhpack.AppendHuffmanString(nil, "")
		block = append(block[:0], 0x40, 1, 'a', 0x7f, 0xa1, 0x1e) // value of 4000 octets
		block = append(block, strings.Repeat("x", 4000)...)
		for range 100_000 {
			block = append(block, 0xbe)
		}
		got, res := d.Decode(nil, block)
		if len(got) != 2 || res.Dropped != 99_999 {
			t.Errorf("got %d fields, dropped %d", len(got), res.Dropped)
		}
	})
	t.Run("settings bound the size update", func(t *testing.T) {
		d := New(Options{})
		d.SetLimit(100, true) // 100 < the default: updates to 4096 stay right
		if _, res := d.Decode(nil, unhex(t, "3f e1 1f")); res.Fault != "" {
			t.Errorf("update to 4096: %q", res.Fault)
		}
		if _, res := d.Decode(nil, unhex(t, "3f e2 1f")); res.Fault != FaultSize {
			t.Errorf("update to 4097: %q", res.Fault)
		}
		d.SetLimit(5000, false)
		if _, res := d.Decode(nil, unhex(t, "3f e2 1f")); res.Fault != "" {
			t.Errorf("update to 4097 after raising: %q", res.Fault)
		}
	})
}

// TestLateJoin encodes many blocks with x/net's encoder and joins at each of
// them: every field must be right or marked, and in the end all are right.
func TestLateJoin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var sb strings.Builder
	e := xhpack.NewEncoder(&sb)
	var blocks []string
	var want [][]decode.Field
	for range 150 {
		var fs []decode.Field
		if rng.IntN(40) == 0 {
			e.SetMaxDynamicTableSize(uint32(rng.IntN(5000)))
		}
		for range 1 + rng.IntN(10) {
			f := field("n"+string(rune('a'+rng.IntN(26))), strings.Repeat(string(rune('a'+rng.IntN(8))), rng.IntN(80)))
			fs = append(fs, f)
			if err := e.WriteField(xhpack.HeaderField{Name: f.Name, Value: f.Value}); err != nil {
				t.Fatal(err)
			}
		}
		blocks, want = append(blocks, sb.String()), append(want, fs)
		sb.Reset()
	}
	unknown, clean := 0, 0
	for join := range blocks {
		d := New(Options{})
		d.Forget()
		for i := join; i < len(blocks); i++ {
			got, res := d.Decode(nil, []byte(blocks[i]))
			if res.Fault != "" || len(got) != len(want[i]) {
				t.Fatalf("join %d block %d: %+v, %d fields, want %d", join, i, res, len(got), len(want[i]))
			}
			for k, f := range got {
				if f.Unknown {
					unknown++
				}
				if f.Name != want[i][k].Name && (f.Name != Unknown || !f.Unknown) ||
					f.Value != want[i][k].Value && (f.Value != Unknown || !f.Unknown) {
					t.Fatalf("join %d block %d field %d: %+v, want %+v", join, i, k, f, want[i][k])
				}
			}
			if i == len(blocks)-1 && res.Unknown == 0 {
				clean++
			}
		}
	}
	if unknown == 0 || clean < 100 {
		t.Errorf("unknown fields %d (want some), joins whose last block is exact %d of %d", unknown, clean, len(blocks))
	}
}

func TestHuffmanAllSymbols(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 2000 {
		raw := make([]byte, n%200)
		for i := range raw {
			if n%2 == 0 {
				raw[i] = byte(rng.IntN(256))
			} else {
				raw[i] = "etaoinshrdlu -/=;0123"[rng.IntN(21)]
			}
		}
		coded := xhpack.AppendHuffmanString(nil, string(raw))
		got, ok := appendHuffman([]byte("x"), coded)
		if !ok || string(got) != "x"+string(raw) {
			t.Fatalf("case %d: %v %q, want %q", n, ok, got, raw)
		}
	}
}
