package eventjson

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

// FuzzLine: a line is refused, or is JSON whose event has a line of its own that
// says the same.
func FuzzLine(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		ev := randomEvent(rng)
		f.Add(Append(nil, &ev))
	}
	f.Add([]byte(`{"payload": {"ssl":"32512","pid":5,"arg":["a"]} ,"seq":0,"type":2,"flags":16}`))
	f.Add([]byte(`{"seq":"0x1","type":1,"text":"\ud83d\ude00\/"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var ev format.Event
		var d, e Decoder
		if err := d.Decode(bytes.Clone(line), &ev); err != nil {
			return
		}
		if !json.Valid(line) {
			t.Fatal("taken though it is not JSON")
		}
		out := Append(nil, &ev)
		var again format.Event
		if err := e.Decode(bytes.Clone(out), &again); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if !sameEvent(ev, again) {
			t.Fatalf("want %+v\ngot %+v", ev, again)
		}
		if twice := Append(nil, &again); !bytes.Equal(out, twice) {
			t.Fatalf("%s became %s", out, twice)
		}
	})
}

// FuzzEvent: an event of any payload comes back from its line.
func FuzzEvent(f *testing.F) {
	rng := rand.New(rand.NewPCG(2, 1))
	for range 40 {
		ev := randomEvent(rng)
		f.Add(uint8(ev.Type), uint16(ev.Flags), ev.Seq, ev.Payload)
	}
	f.Fuzz(func(t *testing.T, typ uint8, flags uint16, seq uint64, payload []byte) {
		switch format.Type(typ) {
		case format.TypeConn, format.TypeProc, format.TypeProbe, format.TypeSession:
			payload = payload[:min(len(payload), format.MaxDefinition)]
		}
		ev := format.Event{Type: format.Type(typ), Flags: format.Flags(flags) &^ flagOptions, Seq: seq, Payload: payload}
		roundTrip(t, "event", &ev)
	})
}

// rounds checks that what import made of a text comes back from its own text.
func rounds(t *testing.T, spl []byte) {
	t.Helper()
	text, _ := exported(t, spl)
	back := imported(t, text)
	if !sameEvents(events(t, spl), events(t, back)) {
		t.Fatalf("other events after a round of %s", text)
	}
}

// FuzzImport: any text is refused, or becomes a session without damage.
func FuzzImport(f *testing.F) {
	rng := rand.New(rand.NewPCG(4, 1))
	for range 10 {
		var text []byte
		for i := range 5 {
			ev := randomEvent(rng)
			ev.Seq = uint64(i)
			text = Append(text, &ev)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"conn":0,"dir":"c2s","text":"x"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var out bytes.Buffer
		if err := Import(&out, bytes.NewReader(text), format.WriterOptions{}); err == nil {
			rounds(t, out.Bytes())
		}
	})
}

// FuzzMinimal: the same of the minimal form, whatever the first line looks like.
func FuzzMinimal(f *testing.F) {
	f.Add([]byte(`{"client":"10.0.0.5:40111","conn":0,"server":"::1:443","alpn":"h2"}
{"conn":0,"dir":"c2s","ts":1000,"text":"GET"}
{"conn":0,"dir":"s2c","gap":127}
{"conn":0,"dir":"s2c","ts":"3000","data":"/wA="}
{"conn":0,"dir":"s2c","end":"fin"}
{"conn":0,"dir":"c2s","end":"rst"}
{"conn":0,"alpn":"x"}
{"conn":1,"dir":1,"gap":"0xffffffffffffffff"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := newLines(bytes.NewReader(text))
		if err != nil {
			return
		}
		line, err := l.next()
		if err == io.EOF {
			return
		}
		var out bytes.Buffer
		s := &sections{w: &out}
		if err == nil {
			err = importMinimal(s, l, line)
		}
		if cerr := s.close(); cerr != nil {
			t.Fatal(cerr)
		}
		if err == nil {
			rounds(t, out.Bytes())
		}
	})
}
