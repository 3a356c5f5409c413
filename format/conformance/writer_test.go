package conformance

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

// freeze makes the frozen files of a new version; those of an old one are never made again.
var freeze = flag.String("freeze", "", "version of the format whose files are to be frozen")

// own turns an event of a case into one for the writer.
func own(e event) format.Event {
	return format.Event{Type: format.Type(e.typ), Dir: format.Dir(e.dir), Probe: e.probe, Flags: format.Flags(e.flags), CPU: e.cpu, TID: e.tid,
		Conn: e.conn, Seq: e.seq, Time: e.time, Offset: e.offset, Dur: e.dur, Payload: e.raw}
}

// pieces gives each file of a session its own buffer, and a chunk or more: a file is full as soon as it has one.
type pieces struct{ files []*bytes.Buffer }

func (p *pieces) Full(int64) bool { return true }

func (p *pieces) Next() (io.Writer, error) {
	b := new(bytes.Buffer)
	p.files = append(p.files, b)
	return b, nil
}

// record writes the chunks of a section with the writer of package format, which
// must repeat by itself what is a repeat in them. At stop, if not 0, the recorder is
// killed: that many chunks are written and no footer.
func record(t *testing.T, s *section, o format.WriterOptions, stop int) []byte {
	t.Helper()
	var first bytes.Buffer
	o.SessionPayload = s.opts.session.raw
	w, err := format.NewWriter(&first, format.Session{}, o)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range s.parts {
		if p.kind != "chunk" {
			continue
		}
		for _, e := range p.events {
			if e.isRepeat() {
				continue
			}
			ev := own(e)
			if err := w.Append(&ev); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if n++; n == stop {
			return bytes.Clone(first.Bytes())
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return first.Bytes()
}

// writerCases are sessions made by the writer of package format, with what must be
// read from them: the same as from those put together by hand.
func writerCases(t *testing.T) map[string]outcome {
	t.Helper()
	s := talk(variant{})
	killed := chunksUpTo(s, 2)
	several, all := rotated(t)
	out := map[string]outcome{
		"conversation-fs":         {file: record(t, s, format.WriterOptions{}, 0), events: s.events(), footer: agrees},
		"conversation-f":          {file: record(t, s, format.WriterOptions{NoSeekTable: true}, 0), events: s.events(), footer: agrees},
		"killed-plain":            {file: record(t, s, format.WriterOptions{}, 2), events: killed, footer: none},
		"all-fields-fs":           {file: record(t, fields(), format.WriterOptions{}, 0), events: fields().events(), footer: agrees},
		"rotated-fs":              {file: slices.Concat(several...), events: slices.Concat(all...), footer: agrees},
		"conversation-workers-fs": {file: record(t, s, format.WriterOptions{Workers: 2}, 0), events: s.events(), footer: agrees},
	}
	for i := range several {
		out[fmt.Sprintf("rotated-%d-fs", i)] = outcome{file: several[i], events: all[i], footer: agrees}
	}
	return out
}

// fields is the session that has every field.
func fields() *section {
	evs := allFieldsEvents()
	return single(variant{}, evs...)
}

func chunksUpTo(s *section, n int) []event {
	var evs []event
	for i := range n {
		evs = append(evs, s.parts[s.find("chunk", i)].events...)
	}
	return evs
}

// rotated spreads the conversation over three files: each chunk goes into its own.
func rotated(t *testing.T) (files [][]byte, events [][]event) {
	t.Helper()
	s := talk(variant{})
	p := &pieces{}
	var first bytes.Buffer
	w, err := format.NewWriter(&first, format.Session{}, format.WriterOptions{Files: p, SessionPayload: s.opts.session.raw})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		for _, e := range s.parts[s.find("chunk", i)].events {
			ev := own(e)
			if !e.isRepeat() {
				err = errors.Join(err, w.Append(&ev))
			}
		}
		err = errors.Join(err, w.Flush())
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	files = append(files, first.Bytes())
	for _, b := range p.files {
		files = append(files, b.Bytes())
	}
	// What the writer adds where a file ends: seq and time of the event before.
	goesOn := func(e event, count, size, lost, lostBytes, next uint64) event {
		var fs []field
		fs = append(fs, text(1, "reason", "rotated"), number(2, "events", count), number(3, "bytes", size))
		if lost > 0 {
			fs = append(fs, number(4, "lost_events", lost), number(5, "lost_bytes", lostBytes))
		}
		return event{typ: typeEnd, seq: e.seq, time: e.time, body: list(append(fs, number(6, "next", next))...)}
	}
	again := func(seq uint64) event {
		e := started(s.opts).repeated(seq)
		return e
	}
	a, b, c := chunksUpTo(s, 1), s.parts[s.find("chunk", 1)].events, s.parts[s.find("chunk", 2)].events
	return files, [][]event{
		append(slices.Clone(a), goesOn(a[len(a)-1], 6, 35, 0, 0, 1)),
		slices.Concat([]event{again(6)}, b, []event{goesOn(b[len(b)-1], 4, 19, 1, 10, 2)}),
		slices.Concat([]event{again(10)}, c),
	}
}

// The writer makes sessions that read as those put together by hand.
func TestWriter(t *testing.T) {
	for name, o := range writerCases(t) {
		want := expected(testCase{}, variant{}, o)
		for _, check := range []bool{false, true} {
			got, err := readGo(o.file, format.ReaderOptions{Check: check})
			if diff := compare(want, got); diff != "" || err != nil {
				t.Errorf("%s, check %t: %v (-want +got):\n%s", name, check, err, diff)
			}
		}
		got, indexed, err := openGo(o.file)
		if diff := compare(want, got); diff != "" || err != nil || indexed != (o.footer == agrees) {
			t.Errorf("%s: opened by its end %t, %v (-want +got):\n%s", name, indexed, err, diff)
		}
	}
}

// With -freeze VERSION the files of that version are made, once and for all.
func TestFreeze(t *testing.T) {
	if *freeze == "" {
		t.Skip("skipped: only with -freeze VERSION, when a version is finished")
	}
	folder := filepath.Join(filepath.Dir(frozenDir), *freeze)
	if _, err := os.Stat(filepath.Join(folder, "SHA256SUMS")); err == nil {
		t.Fatalf("%s is frozen", folder)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, o := range writerCases(t) {
		x := expected(testCase{why: "made by the writer of version " + *freeze}, variant{}, o)
		if err := errors.Join(os.WriteFile(filepath.Join(folder, name+".spl"), o.file, 0o644), os.WriteFile(filepath.Join(folder, name+".json"), x.marshal(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var sums strings.Builder
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(b), e.Name())
	}
	if err := os.WriteFile(filepath.Join(folder, "SHA256SUMS"), []byte(sums.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
