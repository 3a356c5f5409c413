package eventjson

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

// file writes a session of evs, flushing after some of them.
func file(t testing.TB, info format.Session, evs []format.Event, flush func(i int) bool) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := format.NewWriter(&buf, info, format.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range evs {
		if err := w.Append(&evs[i]); err != nil {
			t.Fatal(err)
		}
		if flush != nil && flush(i) {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// events reads a session, repeats left out, payloads copied.
func events(t testing.TB, spl []byte) []format.Event {
	t.Helper()
	r, err := format.NewReader(bytes.NewReader(spl), format.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []format.Event
	for {
		var ev format.Event
		if err := r.Next(&ev); err == io.EOF {
			if len(r.Damage()) > 0 {
				t.Fatal(r.Damage())
			}
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		if !isRepeat(&ev) {
			ev.Payload = bytes.Clone(ev.Payload)
			out = append(out, ev)
		}
	}
}

func exported(t testing.TB, spl []byte) (string, Summary) {
	t.Helper()
	r, err := format.NewReader(bytes.NewReader(spl), format.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	sum, err := Export(&out, r)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), sum
}

func imported(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Import(&out, strings.NewReader(text), format.WriterOptions{}); err != nil {
		t.Fatalf("import: %v", err)
	}
	return out.Bytes()
}

func sameEvents(a, b []format.Event) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !sameEvent(a[i], b[i]) {
			return false
		}
	}
	return true
}

// TestSessions: sessions of random events, one or two in a file, come back with
// the same events and the same text.
func TestSessions(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	one := func() []byte {
		info := format.Session{UUID: [16]byte{15: byte(rng.Uint32())}, Wall: rng.Int64(), Host: "h\x1b", Command: []string{""}}
		evs := make([]format.Event, rng.IntN(200))
		var seq uint64
		for i := range evs {
			for evs[i] = randomEvent(rng); evs[i].Type == format.TypeSession; {
				evs[i] = randomEvent(rng)
			}
			if seq += uint64(rng.IntN(3)); rng.IntN(20) == 0 {
				seq += rng.Uint64N(1 << 40)
			}
			evs[i].Seq = seq
			switch evs[i].Type {
			case format.TypeConn, format.TypeProc, format.TypeProbe, format.TypeUnwatched:
				evs[i].Flags &^= format.FlagRepeat
			}
		}
		return file(t, info, evs, func(int) bool { return rng.IntN(20) == 0 })
	}
	for range 60 {
		spl := one()
		if rng.IntN(3) == 0 {
			spl = append(spl, one()...)
		}
		text, sum := exported(t, spl)
		back := imported(t, text)
		if want, got := events(t, spl), events(t, back); !sameEvents(want, got) {
			t.Fatalf("%d events became %d others", len(want), len(got))
		}
		if again, _ := exported(t, back); again != text {
			t.Fatal("the text is another after a round")
		}
		if n := strings.Count(text, "\n"); uint64(n) != sum.Events || n != len(events(t, spl)) {
			t.Fatalf("%d lines, %d events in the summary, %d in the file", n, sum.Events, len(events(t, spl)))
		}
	}
}

// TestRepeats: what a chunk repeats has no line, unless the original is not there.
func TestRepeats(t *testing.T) {
	evs := []format.Event{
		{Type: format.TypeProbe, Seq: 1, Payload: encoded(format.Probe{ID: 1, Path: "/p"})},
		{Type: format.TypeProc, Seq: 2, Payload: encoded(format.Proc{PID: 9, Comm: "a"})},
		{Type: format.TypeConn, Seq: 3, Conn: 1, Probe: 1, Payload: encoded(format.Conn{PID: 9})},
		{Type: format.TypeData, Seq: 4, Conn: 1, Dir: 1, Payload: []byte("one")}, // chunk 0 ends
		{Type: format.TypeConn, Seq: 5, Conn: 1, Probe: 1, Payload: encoded(format.Conn{PID: 9, ALPN: "h2"})},
		{Type: format.TypeData, Seq: 6, Conn: 1, Dir: 1, Offset: 3, Payload: []byte("two")}, // chunk 1 ends
		{Type: format.TypeData, Seq: 7, Conn: 1, Dir: 1, Offset: 6, Payload: []byte("three")},
		{Type: format.TypeProcEnd, Seq: 8, Payload: encoded(format.ProcEnd{PID: 9})}, // chunk 2 ends
		{Type: format.TypeConnEnd, Seq: 9, Conn: 1, Payload: encoded(format.ConnEnd{})},
		{Type: format.TypeEnd, Seq: 10, Payload: encoded(format.End{})},
	}
	spl := file(t, format.Session{}, evs, func(i int) bool { return i == 3 || i == 5 || i == 7 })
	chunks := bytes.Split(spl, []byte("SPLC"))
	// strike makes chunk n unreadable: its zstd frame ends before the next magic.
	strike := func(n int) []byte {
		at := 0
		for _, c := range chunks[:n+2] {
			at += len(c) + 4
		}
		b := bytes.Clone(spl)
		b[at-4-8-20] ^= 1
		return b
	}
	kinds := func(text string) string {
		var out []string
		for line := range strings.Lines(text) {
			_, rest, _ := strings.Cut(line, `"type":"`)
			kind, _, _ := strings.Cut(rest, `"`)
			if strings.Contains(line, `"flags"`) {
				kind += "!"
			}
			if strings.Contains(line, "h2") {
				kind += "(h2)"
			}
			out = append(out, kind)
		}
		return strings.Join(out, " ")
	}
	for _, tt := range []struct {
		name string
		spl  []byte
		want string
	}{
		{"whole", spl, "session probe proc conn data conn(h2) data data proc_end conn_end end"},
		{"first chunk lost", strike(0), "session probe proc conn(h2) data data proc_end conn_end end"},
		{"second chunk lost", strike(1), "session probe proc conn data conn(h2) data proc_end conn_end end"},
		{"third chunk lost", strike(2), "session probe proc conn data conn(h2) data conn_end end"},
		{"twice", append(bytes.Clone(spl), strike(0)...), "session probe proc conn data conn(h2) data data proc_end conn_end end " +
			"session probe proc conn(h2) data data proc_end conn_end end"},
	} {
		text, sum := exported(t, tt.spl)
		if got := kinds(text); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		if !sum.Closed {
			t.Errorf("%s: not closed", tt.name)
		}
		back := imported(t, text)
		if again, _ := exported(t, back); again != text {
			t.Errorf("%s: the text is another after a round:\n%s", tt.name, again)
		}
	}
}

// TestNews: what is known of a process is what was said of it last.
func TestNews(t *testing.T) {
	proc := func(comm string, flags format.Flags) format.Event {
		return format.Event{Type: format.TypeProc, Flags: flags, Payload: encoded(format.Proc{PID: 5, Comm: comm})}
	}
	const repeat = format.FlagRepeat
	var src fakeSource
	for _, ev := range []format.Event{
		{Type: format.TypeSession}, proc("a", 0), proc("a", repeat), proc("b", 0), proc("a", repeat), proc("a", repeat),
		{Type: format.TypeProcEnd, Payload: encoded(format.ProcEnd{PID: 5})}, proc("a", repeat),
		{Type: format.TypeProc, Flags: repeat, Payload: []byte("malformed")}, {Type: format.TypeProc, Flags: repeat, Payload: []byte("malformed")},
		{Type: format.TypeConn, Conn: 1, Flags: repeat}, {Type: format.TypeConn, Conn: 1, Flags: repeat}, {Type: format.TypeConnEnd, Conn: 1},
		{Type: format.TypeConn, Conn: 1, Flags: repeat}, {Type: format.TypeMark, Flags: repeat}, {Type: format.TypeMark, Flags: repeat},
	} {
		ev.Seq = uint64(len(src))
		src = append(src, ev)
	}
	var out bytes.Buffer
	if _, err := Export(&out, &src); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		seq, _, _ := strings.Cut(strings.TrimPrefix(line, `{"seq":`), ",")
		if flagged := strings.Contains(line, "flags"); flagged != strings.Contains(line, "mark") {
			t.Errorf("flag of %s", line)
		}
		got = append(got, seq)
	}
	if want := "0 1 3 4 6 8 10 12 13 14 15"; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestClosed(t *testing.T) {
	data := format.Event{Type: format.TypeData, Seq: 1}
	end := format.Event{Type: format.TypeEnd, Seq: 2}
	closed := file(t, format.Session{}, []format.Event{data, end}, nil)
	open := file(t, format.Session{}, []format.Event{data}, nil)
	empty := file(t, format.Session{}, nil, nil)
	for _, tt := range []struct {
		name string
		spl  []byte
		want bool
	}{
		{"closed", closed, true}, {"open", open, false}, {"empty", empty, true},
		{"open closed", append(bytes.Clone(open), closed...), false}, {"closed open", append(bytes.Clone(closed), open...), false},
		{"closed closed", append(bytes.Clone(closed), closed...), true},
	} {
		if _, sum := exported(t, tt.spl); sum.Closed != tt.want {
			t.Errorf("%s: closed = %v, want %v", tt.name, sum.Closed, tt.want)
		}
	}
}

// TestRotated: the flag of a session's later file is in the text.
// limited lets files grow to 4 KiB.
type limited struct{ files []*bytes.Buffer }

func (l *limited) Full(size int64) bool { return size > 12<<10 }

func (l *limited) Next() (io.Writer, error) {
	l.files = append(l.files, &bytes.Buffer{})
	return l.files[len(l.files)-1], nil
}

// The files of one session come back as such, each alone and one after the other;
// so does a description with what only a later version knows.
func TestMembersComeBack(t *testing.T) {
	to := &limited{}
	first, _ := to.Next()
	payload := append((&format.Session{Host: "web-03"}).AppendTo(nil), 99, 1, 0, 0, 1, 0, 0, 0, 'x', 0, 0, 0, 0, 0, 0, 0)
	w, err := format.NewWriter(first, format.Session{}, format.WriterOptions{ChunkBytes: 4 << 10, Files: to, SessionPayload: payload})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(800) {
		p := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		if err := w.Append(&format.Event{Type: format.TypeData, Conn: 1, Dir: format.DirRead, Seq: i + 1, Offset: 64 * i, Payload: slices.Concat(p[:], p[:])}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || len(to.files) < 3 {
		t.Fatalf("%d files, %v", len(to.files), err)
	}
	var all []byte
	for i, f := range to.files {
		text, _ := exported(t, f.Bytes())
		again := imported(t, text)
		if !sameEvents(events(t, f.Bytes()), events(t, again)) {
			t.Errorf("file %d has other events", i)
		}
		all = append(all, f.Bytes()...)
	}
	text, _ := exported(t, all)
	again := imported(t, text)
	if !sameEvents(events(t, all), events(t, again)) {
		t.Error("together they have other events")
	}
	f, err := format.Open(bytes.NewReader(again), int64(len(again)), format.ReaderOptions{})
	if err != nil || f.Damage() != nil {
		t.Fatal(err, f.Damage())
	}
	for i, s := range f.Sections() {
		if s.Member != (i > 0) || s.FileNo != uint32(i) {
			t.Errorf("section %d is file %d, member %v", i, s.FileNo, s.Member)
		}
	}
}

func TestRotated(t *testing.T) {
	src := fakeSource{{Type: format.TypeSession, Flags: format.FlagRepeat, Seq: 70}, {Type: format.TypeData, Seq: 71}}
	var out bytes.Buffer
	if _, err := Export(&out, &src); err != nil {
		t.Fatal(err)
	}
	want := `{"seq":70,"type":"session","flags":16}` + "\n" + `{"seq":71,"type":"data"}` + "\n"
	if out.String() != want {
		t.Errorf("got %s", out.String())
	}
	got := events(t, imported(t, want))
	if len(got) != 2 || got[0].Seq != 70 || got[1].Seq != 71 {
		t.Errorf("imported %+v", got)
	}
}

type fakeSource []format.Event

func (s *fakeSource) Next(ev *format.Event) error {
	if len(*s) == 0 {
		return io.EOF
	}
	*ev, *s = (*s)[0], (*s)[1:]
	return nil
}

func TestImportWithoutSession(t *testing.T) {
	text := "\n  \n" + `{"seq":3,"type":"mark","text":"x"}` + "\r\n\n" + `{"seq":3,"type":"end"}`
	for _, packed := range []bool{false, true} {
		in := []byte(text)
		if packed {
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			w.Write(in)
			w.Close()
			in = z.Bytes()
		}
		var out bytes.Buffer
		if err := Import(&out, bytes.NewReader(in), format.WriterOptions{}); err != nil {
			t.Fatal(err)
		}
		got, _ := exported(t, out.Bytes())
		want := `{"seq":0,"type":"session","payload":{"writer":"spliff import"}}` + "\n" + `{"seq":3,"type":"mark","base64":"eA=="}` + "\n" + `{"seq":3,"type":"end"}` + "\n"
		if got != want {
			t.Errorf("got %s", got)
		}
	}
}

// badImport is a text that is refused, with the line and the reason.
type badImport struct {
	text string
	line int
	want string
}

func checkBad(t *testing.T, tests []badImport) {
	t.Helper()
	for _, tt := range tests {
		err := Import(io.Discard, strings.NewReader(tt.text), format.WriterOptions{})
		var bad *LineError
		if !errors.As(err, &bad) || bad.Line != tt.line || bad.Err.Error() != tt.want {
			t.Errorf("%.300s:\n got %v\nwant line %d: %s", tt.text, err, tt.line, tt.want)
		}
	}
}

func TestBadImports(t *testing.T) {
	checkBad(t, []badImport{
		{`{"seq":1,"type":"data"}` + "\n\n" + `{"seq":2,"type":"data","ofset":1}`, 3, `unknown field "ofset"`},
		{`{"seq":5,"type":"data"}` + "\n" + `{"seq":4,"type":"data"}`, 2, `seq 4 comes after 5`},
		{`{"seq":5,"type":"session"}` + "\n" + `{"seq":4,"type":"data"}`, 2, `seq 4 comes after 5`},
		{`{"seq":1,"type":"conn","flags":16}`, 1, `flags: 16 marks a repeat; the writer of a session makes those`},
		{`{"seq":0,"type":"session","conn":1}`, 1, `a session event has no conn, dir, probe and flags`},
		{`{"seq":0,"type":"data"}` + "\n" + `{"conn":0,"dir":"c2s","text":"x"}`, 2, `dir: no value is called "c2s" (there are write, read)`},
		{`not json`, 1, `column 1: 'n' where an object should be`[:0] + `column 1: null where an object should be`},
		{`{"dir":"c2s","type":"data"}`, 1, `dir: no value is called "c2s" (there are write, read)`},
		{strings.Repeat(" ", MaxLine+1), 1, `longer than 35651584 bytes`},
		{"\n" + `{"seq":1,"type":"data","text":"` + strings.Repeat("x", MaxLine), 2, `longer than 35651584 bytes`},
	})
	if err := Import(io.Discard, strings.NewReader(" \n"), format.WriterOptions{}); err == nil || err.Error() != "no line in it" {
		t.Errorf("empty: %v", err)
	}
	if err := Import(io.Discard, strings.NewReader("\x1f\x8bxx"), format.WriterOptions{}); err == nil {
		t.Error("bad gzip: no error")
	}
}

// TestImportFailures: an error of the output or the input comes back once, as it is.
func TestImportFailures(t *testing.T) {
	text := strings.Repeat(`{"seq":1,"type":"data","conn":1,"dir":"write","text":"`+strings.Repeat("x", 1000)+"\"}\n", 3000)
	mini := strings.Repeat(`{"conn":1,"dir":"c2s","text":"`+strings.Repeat("x", 1000)+"\"}\n", 3000)
	broken := errors.New("broken")
	for _, in := range []string{text, mini} {
		for _, n := range []int{0, 200} {
			if err := Import(&failing{left: n, err: broken}, strings.NewReader(in), format.WriterOptions{}); !errors.Is(err, broken) {
				t.Errorf("output fails after %d bytes: %v", n, err)
			}
		}
		src := io.MultiReader(strings.NewReader(in[:100_000]), &failing{err: broken})
		if err := Import(io.Discard, src, format.WriterOptions{}); !errors.Is(err, broken) {
			t.Errorf("input fails: %v", err)
		}
	}
	src := fakeSource{{Type: format.TypeSession}}
	if _, err := Export(&failing{err: broken}, &src); !errors.Is(err, broken) {
		t.Errorf("export: %v", err)
	}
	if err := ImportRaw(io.Discard, &failing{err: broken}, strings.NewReader(""), "", format.WriterOptions{}); !errors.Is(err, broken) {
		t.Errorf("raw: %v", err)
	}
}

// failing takes some bytes and then fails; reading, it fails at once.
type failing struct {
	left int
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, f.err
	}
	return len(p), nil
}

func (f *failing) Read([]byte) (int, error) { return 0, f.err }
