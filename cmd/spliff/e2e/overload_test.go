package e2e

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/format"
	recorder "github.com/NoFear0411/spliff/record"
	"github.com/NoFear0411/spliff/replay"
)

// slowSink writes a session, and takes its time over each event with bytes.
type slowSink struct {
	w   *format.Writer
	rng *rand.Rand
}

func (s *slowSink) Flush() error { return nil }

func (s *slowSink) Event(ev *format.Event) error {
	if ev.Type == format.TypeData {
		time.Sleep(time.Duration(s.rng.IntN(300)) * time.Microsecond)
	}
	return s.w.Append(ev)
}

// numbered serves /N: N bytes of which each sixteen say where they stand.
func numbered(t *testing.T) string {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(n))
		var b bytes.Buffer
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(&b, "%016x", i)
		}
		w.Write(b.Bytes()[:n])
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestOverload: a ring of 64 KiB and a slow reader lose much of what several programs
// read at once. For each connection, what is recorded and what is named as lost is
// what there was; no byte stands where another belongs; the decoder's gaps are the
// losses that were named; and the sums at the end say the same by cause and by
// processor. 100 times with SPLIFF_OVERLOADS=100 (make soak-overload).
func TestOverload(t *testing.T) {
	needRoot(t)
	need(t, "curl")
	runs := 4
	if v := os.Getenv("SPLIFF_OVERLOADS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		runs = n
	}
	url := numbered(t)
	var recorded, lost uint64
	for i := range runs {
		got, gone := overload(t, url, uint64(i))
		recorded, lost = recorded+got, lost+gone
		if t.Failed() {
			t.Fatalf("run %d", i)
		}
	}
	if lost == 0 {
		t.Error("nothing was lost: the test shows nothing")
	}
	t.Logf("%d runs: %d bytes recorded, %d lost, every one named", runs, recorded, lost)
}

func overload(t *testing.T, url string, seed uint64) (recorded, lost uint64) {
	t.Helper()
	// A header of whole sixteens, so that a place in the stream tells one in the body.
	get := "curl -sk --http1.1 -o /dev/null -o /dev/null -o /dev/null " + url + "/400000 " + url + "/16 " + url + "/250000"
	var file bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := recorder.Open(ctx, recorder.Options{RingBytes: 64 << 10, Live: true, Command: []string{"sh", "-c", get + " & " + get + " & " + get + " & wait"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w, err := format.NewWriter(&file, s.Info(), format.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(ctx, &slowSink{w, rand.New(rand.NewPCG(seed, 1))}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	a := &ledger{t: t, got: map[stream]uint64{}, at: map[stream]uint64{}, gap: map[stream]uint64{}, shift: map[stream]uint64{}}
	sum := a.read(file.Bytes())
	a.check(s.Stats(), sum)
	return a.bytes, a.lost
}

type stream struct {
	conn uint32
	dir  format.Dir
}

// ledger adds up a session.
type ledger struct {
	t             *testing.T
	got, at, gap  map[stream]uint64 // bytes recorded, where the stream stands, bytes named as lost
	shift         map[stream]uint64 // body offset less stream offset, +1, of the run of numbers at hand
	ends          int
	events, bytes uint64 // DATA
	lost, drops   uint64 // bytes named as lost, and DROP events with a place
	nowhere       uint64 // bytes lost of connections that were never announced
	end           format.End
}

// read takes in a session and gives it to the decoder.
func (a *ledger) read(file []byte) replay.Summary {
	a.t.Helper()
	r, err := format.NewReader(bytes.NewReader(file), format.ReaderOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	engine := replay.New(replay.Options{}, func(*replay.Item) error { return nil })
	var ev format.Event
	for {
		err := r.Next(&ev)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			a.t.Fatal(err)
		}
		if ev.Flags&format.FlagRepeat == 0 {
			a.take(&ev)
		}
		if err := engine.Push(&ev); err != nil {
			a.t.Fatal(err)
		}
	}
	sum, err := engine.Close()
	if err != nil {
		a.t.Fatal(err)
	}
	return sum
}

func (a *ledger) take(ev *format.Event) {
	key := stream{ev.Conn, ev.Dir}
	switch ev.Type {
	case format.TypeData:
		if ev.Offset != a.at[key] {
			a.t.Errorf("%v: data at %d, the stream stands at %d", key, ev.Offset, a.at[key])
		}
		n := uint64(len(ev.Payload))
		a.events, a.bytes, a.got[key], a.at[key] = a.events+1, a.bytes+n, a.got[key]+n, ev.Offset+n
		if ev.Dir == format.DirRead {
			a.places(key, ev)
		}
	case format.TypeDrop:
		d, err := format.ParseDrop(ev.Payload)
		if err != nil {
			a.t.Fatal(err)
		}
		if ev.Conn == 0 {
			a.nowhere += d.Bytes
			return
		}
		if d.Offset != a.at[key] || d.Bytes == 0 {
			a.t.Errorf("%v: loss of %d at %d, the stream stands at %d", key, d.Bytes, d.Offset, a.at[key])
		}
		a.drops, a.lost, a.gap[key], a.at[key] = a.drops+1, a.lost+d.Bytes, a.gap[key]+d.Bytes, d.Offset+d.Bytes
	case format.TypeConnEnd:
		end, err := format.ParseConnEnd(ev.Payload)
		if err != nil {
			a.t.Fatal(err)
		}
		a.ends++
		for i, n := range [2]uint64{end.Written, end.Read} {
			key := stream{ev.Conn, format.Dir(i + 1)}
			by := end.Causes[i]
			if a.got[key]+a.gap[key] != n || a.gap[key] != end.Lost[i] || by.RingFull+by.Fault+by.Snaplen != end.Lost[i] {
				a.t.Errorf("%v: %d recorded + %d lost, the process moved %d and lost %d: %+v, reason %d", key, a.got[key], a.gap[key], n, end.Lost[i], by, end.Reason)
			}
		}
	case format.TypeEnd:
		end, err := format.ParseEnd(ev.Payload)
		if err != nil {
			a.t.Fatal(err)
		}
		a.end = end
	}
}

// places checks that numbers in a body stand where they belong: from one to the next,
// over any gap, the stream went on by as much as the numbers did, unless another body
// began.
func (a *ledger) places(key stream, ev *format.Event) {
	p := ev.Payload
	for i := 0; i+32 <= len(p); i++ {
		var b [16]byte
		if _, err := hex.Decode(b[:], p[i:i+32]); err != nil {
			continue
		}
		first, second := be(b[:8]), be(b[8:])
		if second != first+1 || first > 1<<20 {
			continue
		}
		shift := ev.Offset + uint64(i) - first*16
		if old := a.shift[key]; old > shift {
			a.t.Errorf("%v: number %d stands at %d, before where its body began", key, first, ev.Offset+uint64(i))
		} else if old != shift {
			// The next body on the connection, behind all of the last.
			a.shift[key] = shift
		}
		i += 15
	}
}

func be(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

func (a *ledger) check(st recorder.Stats, sum replay.Summary) {
	a.t.Helper()
	end := a.end
	if sum.LostBytes != a.lost || sum.Gaps != a.drops || sum.Malformed != 0 || sum.Overlap != 0 || sum.Late != 0 {
		a.t.Errorf("the decoder has %d gaps of %d bytes, %d losses of %d were named: %+v", sum.Gaps, sum.LostBytes, a.drops, a.lost, sum)
	}
	if st.Events != a.events || st.Bytes != a.bytes || end.Bytes != a.bytes || st.LostBytes != a.lost+a.nowhere || end.LostBytes != st.LostBytes || end.LostEvents != st.LostEvents {
		a.t.Errorf("counted %+v, END %+v; recorded %d events with %d bytes, lost %d + %d bytes", st, end, a.events, a.bytes, a.lost, a.nowhere)
	}
	var by, missed format.Count
	for _, c := range end.Causes {
		by.Events, by.Bytes = by.Events+c.Events, by.Bytes+c.Bytes
		if c.Cause == format.DropMissed {
			missed = c.Count
		}
	}
	if by.Events != end.LostEvents || by.Bytes != end.LostBytes {
		a.t.Errorf("causes add up to %+v, END lost %d events and %d bytes", by, end.LostEvents, end.LostBytes)
	}
	all := end.Generated()
	if all.Events != a.events+end.LostEvents-missed.Events || all.Bytes != a.bytes+end.LostBytes {
		a.t.Errorf("generated %+v; recorded %d with %d, lost %d with %d", all, a.events, a.bytes, end.LostEvents, end.LostBytes)
	}
	if a.ends != 3 && a.nowhere == 0 {
		a.t.Errorf("%d connections ended, want 3", a.ends)
	}
}
