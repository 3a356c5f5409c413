package format

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func inspect(t testing.TB, file []byte) Report {
	t.Helper()
	rep, err := Inspect(bytes.NewReader(file), ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// TestInspectIsWhatFootersSay: what is found by reading all is what the footer
// tells, for any events.
func TestInspectIsWhatFootersSay(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for round := range 60 {
		var file []byte
		for range 1 + rng.IntN(3) {
			evs := randomEvents(rng, rng.IntN(400))
			if round%2 == 0 {
				evs = conversation(rng, 1+rng.IntN(300), rng.IntN(200))
			}
			every := 1 + rng.IntN(60)
			file = append(file, writeWhole(t, evs, WriterOptions{}, func(i int) bool { return i%every == 0 })...)
		}
		rep, f := inspect(t, file), open(t, file)
		if !f.Indexed() || len(rep.Damage) > 0 {
			t.Fatalf("round %d: indexed %v, damage %v", round, f.Indexed(), rep.Damage)
		}
		if rep.Bytes != int64(len(file)) {
			t.Errorf("round %d: read %d of %d bytes", round, rep.Bytes, len(file))
		}
		compareSections(t, rep.Sections, f.Sections())
	}
}

func compareSections(t *testing.T, got, want []Section) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d sections, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		if diff := cmp.Diff(w.Summary, g.Summary); diff != "" {
			t.Errorf("summary of section %d: -footer +read\n%s", i, diff)
		}
		if g.Offset != w.Offset || g.Size != w.Size || g.ChunkBytes != w.ChunkBytes || g.Footer != w.Footer || g.FirstSeq != w.FirstSeq {
			t.Errorf("section %d: %d+%d, %d, %v, want %d+%d, %d, %v", i, g.Offset, g.Size, g.ChunkBytes, g.Footer, w.Offset, w.Size, w.ChunkBytes, w.Footer)
		}
		if diff := cmp.Diff(w.Header, g.Header); diff != "" {
			t.Errorf("header of section %d:\n%s", i, diff)
		}
	}
}

// TestInspectLarge: chunks that do not fit into what was read ahead prove all the
// same.
func TestInspectLarge(t *testing.T) {
	rng := rand.NewChaCha8([32]byte{1})
	var evs []Event
	for i := range uint64(20000) {
		p := make([]byte, 3000)
		rng.Read(p)
		evs = append(evs, Event{Type: TypeData, Dir: DirWrite, Conn: uint32(1 + i/9), Seq: i + 1, Time: i, Payload: p})
	}
	for _, size := range []int{200 << 10, 1 << 20, 3 << 20} {
		file := writeWhole(t, evs, WriterOptions{ChunkBytes: size}, nil)
		if rep := inspect(t, file); len(rep.Damage) > 0 {
			t.Errorf("chunks of %d: %v", size, rep.Damage)
		}
		rep, err := Inspect(iotest.HalfReader(bytes.NewReader(file)), ReaderOptions{})
		if err != nil || len(rep.Damage) > 0 {
			t.Errorf("chunks of %d: %v, %v", size, err, rep.Damage)
		}
	}
}

// TestInspectWithoutFooter: a file that was cut before its footer tells the same.
func TestInspectWithoutFooter(t *testing.T) {
	file := writeWhole(t, conversation(rand.New(rand.NewPCG(3, 3)), 100, 200), WriterOptions{}, func(i int) bool { return i%9 == 0 })
	want := *inspect(t, file).Sections[0].Summary
	rep := inspect(t, noFooter(file))
	if diff := cmp.Diff(want, *rep.Sections[0].Summary); diff != "" {
		t.Error(diff)
	}
	if len(rep.Damage) > 0 || rep.Sections[0].Footer != (Footer{}) {
		t.Errorf("damage %v, footer %v", rep.Damage, rep.Sections[0].Footer)
	}
}

// TestInspectBare: a log without our headers tells all that is not about chunks.
func TestInspectBare(t *testing.T) {
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		t.Skip("no zstd tool")
	}
	file := writeWhole(t, conversation(rand.New(rand.NewPCG(4, 4)), 100, 200), WriterOptions{}, nil)
	file = append(file, file...)
	cmd := exec.Command("sh", "-c", zstd+" -dcq | "+zstd+" -q")
	cmd.Stdin = bytes.NewReader(file)
	bare, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	rep := inspect(t, bare)
	if !rep.Bare || len(rep.Sections) != 2 || len(rep.Damage) > 0 || rep.Bytes != int64(len(bare)) {
		t.Fatalf("bare %v, %d sections, damage %v, %d of %d bytes", rep.Bare, len(rep.Sections), rep.Damage, rep.Bytes, len(bare))
	}
	for i, s := range inspect(t, file).Sections {
		s.Summary.Chunks = 0
		if diff := cmp.Diff(s.Summary, rep.Sections[i].Summary); diff != "" {
			t.Error(diff)
		}
	}
}

// TestInspectDamage: a struck chunk is named once, and the footer that counts it is
// no lie.
func TestInspectDamage(t *testing.T) {
	file := writeWhole(t, conversation(rand.New(rand.NewPCG(5, 5)), 100, 100), WriterOptions{}, func(i int) bool { return i%20 == 0 })
	chunks := open(t, file).Sections()[0].Chunks
	bad := bytes.Clone(file)
	bad[chunks[2].Offset+chunks[2].Size-5] ^= 1
	rep := inspect(t, bad)
	if len(rep.Damage) != 1 || rep.Damage[0].Kind != DamageCorrupt || rep.Damage[0].Offset != chunks[2].Offset {
		t.Errorf("damage %v", rep.Damage)
	}
	// The section after it is judged for itself.
	lying := bytes.Clone(file)
	at := bytes.LastIndex(lying, []byte("SPLT")) - 8
	lying[at+40] ^= 1 // events
	n := int(frameLen(lying[at:]))
	sealEnvelope(lying[at : at+n])
	rep = inspect(t, append(bad, lying...))
	if len(rep.Damage) != 2 || rep.Damage[1].Kind != DamageLie {
		t.Errorf("damage %v", rep.Damage)
	}
}

// TestInspectLostHeader: a section whose file header is lost is a section.
func TestInspectLostHeader(t *testing.T) {
	file := writeWhole(t, conversation(rand.New(rand.NewPCG(6, 6)), 100, 100), WriterOptions{}, func(i int) bool { return i%20 == 0 })
	two := append(bytes.Clone(file), file...)
	two[len(file)+30] ^= 1
	rep := inspect(t, two)
	if len(rep.Sections) != 2 || rep.Sections[0].Headless || !rep.Sections[1].Headless {
		t.Fatalf("%d sections: %+v", len(rep.Sections), rep.Sections)
	}
	if got, want := rep.Sections[1].Summary.Events, rep.Sections[0].Summary.Events; got != want {
		t.Errorf("%d events, want %d", got, want)
	}
	if len(rep.Damage) != 1 {
		t.Errorf("damage %v", rep.Damage)
	}
}

func TestInspectFailingSource(t *testing.T) {
	file, _ := small(t)
	broken := errors.New("broken")
	rep, err := Inspect(io.MultiReader(bytes.NewReader(file[:len(file)/2]), iotest.ErrReader(broken)), ReaderOptions{})
	if !errors.Is(err, broken) || len(rep.Sections) != 1 {
		t.Errorf("%v, %d sections", err, len(rep.Sections))
	}
	if _, err := Inspect(bytes.NewReader([]byte("hello")), ReaderOptions{}); !errors.Is(err, ErrNotSession) {
		t.Errorf("%v, want ErrNotSession", err)
	}
}

// TestInspectSeesEveryBit: no flipped bit of a file with all its parts goes by.
func TestInspectSeesEveryBit(t *testing.T) {
	evs := conversation(rand.New(rand.NewPCG(1, 5)), 40, 12)
	file := writeWhole(t, evs, WriterOptions{}, func(i int) bool { return i%9 == 8 })
	step := 8 * 7 / 5 // some of them; all take 20 s
	if os.Getenv("SPLIFF_ALL_BITS") != "" {
		step = 1
	}
	for bit := 0; bit < 8*len(file); bit += step {
		file[bit/8] ^= 1 << (bit % 8)
		rep, err := Inspect(bytes.NewReader(file), ReaderOptions{})
		if err == nil && len(rep.Damage) == 0 {
			t.Errorf("bit %d of byte %d: nothing is wrong", bit%8, bit/8)
		}
		file[bit/8] ^= 1 << (bit % 8)
	}
	// Nor does a lost end, but for what looks as if the recorder had been killed.
	for n := len(file) - 1; n > 0; n-- {
		rep, err := Inspect(bytes.NewReader(file[:n]), ReaderOptions{})
		if err == nil && len(rep.Damage) == 0 && rep.Sections[len(rep.Sections)-1].Footer.Trailer {
			t.Errorf("%d of %d bytes: nothing is wrong", n, len(file))
		}
	}
}
