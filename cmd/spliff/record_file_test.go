package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/format"
)

// canary stands in every payload of a bulky session.
const canary = "the-bird-in-the-mine"

// bulky is a session of n exchanges with bodies of 20 KiB that hardly compress.
func bulky(t testing.TB, n int) []byte {
	f := newFixture(t)
	f.conn("http/1.1")
	r := rand.New(rand.NewPCG(4, 2))
	for i := range n {
		body := make([]byte, 20<<10)
		for j := range body {
			body[j] = byte(r.Uint32())
		}
		copy(body, canary)
		f.exchange(fmt.Sprintf("GET /%d/%s HTTP/1.1\r\nHost: shop.example\r\n\r\n", i, canary),
			fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	}
	f.endConn()
	return f.bytes(true)
}

// newBulky returns an environment whose recorder plays a bulky session, each event
// in a chunk of its own, as if a second passed between them.
func newBulky(t *testing.T, n int) (*testEnv, *fakeRecorder) {
	te, rec := newTestEnv(), newFakeRecorder(t)
	var now atomic.Int64
	te.now = func() time.Time { return time.Unix(0, now.Add(int64(500*time.Millisecond))) }
	rec.file = bulky(t, n)
	rec.use(te)
	return te, rec
}

// glob returns the names in dir that match, without the folder.
func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return names
}

// TestRecordRotates: the files of a rotated session are bounded, each is shown
// alone, and together they are the session that one file would have been.
func TestRecordRotates(t *testing.T) {
	dir := t.TempDir()
	te, _ := newBulky(t, 12)
	whole := filepath.Join(dir, "whole.spl")
	if code := te.run("record", "-o", whole); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	te.run("show", whole)
	want := te.out.String()
	if code := te.run("record", "-o", filepath.Join(dir, "a.spl"), "--rotate", "100KiB"); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	files := glob(t, dir, "a*")
	if len(files) < 3 || files[0] != "a-000000.spl" || !strings.Contains(te.err.String(), fmt.Sprintf("in %d files from ", len(files))) {
		t.Errorf("files %v, said %q", files, te.err.String())
	}
	if want := "spliff: next: spliff show " + filepath.Join(dir, "a-*.spl") + "\n"; !strings.HasSuffix(te.err.String(), want) {
		t.Errorf("said %q, want %q at the end", te.err.String(), want)
	}
	var joined []byte
	for _, name := range files {
		b := readFile(t, filepath.Join(dir, name))
		if len(b) > 100<<10 {
			t.Errorf("%s has %d bytes", name, len(b))
		}
		joined = append(joined, b...)
		if code := te.run("show", filepath.Join(dir, name)); code != exitOK {
			t.Errorf("show %s: exit %d, %s", name, code, te.err.String())
		}
	}
	te.stdin = bytes.NewReader(joined)
	if code := te.run("show", "-"); code != exitOK || te.out.String() != want {
		t.Errorf("all files: exit %d, %s\n%s\nwant\n%s", code, te.err.String(), te.out.String(), want)
	}

	// A second recording does not mix with the first.
	if code := te.run("record", "-o", filepath.Join(dir, "a.spl"), "--rotate", "1h"); code != exitRuntime || !strings.Contains(te.err.String(), "--force") {
		t.Errorf("again: exit %d, %s", code, te.err.String())
	}
}

func TestRecordKeeps(t *testing.T) {
	dir := t.TempDir()
	te, _ := newBulky(t, 12)
	other := filepath.Join(dir, "a-00.spl")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := te.run("record", "-o", filepath.Join(dir, "a.spl"), "--rotate", "64KiB", "--rotate", "1h", "--keep", "2"); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	files := glob(t, dir, "*")
	if len(files) != 3 || files[0] != "a-00.spl" {
		t.Errorf("left: %v", files)
	}
	last := filepath.Join(dir, files[len(files)-1])
	all := events(t, readFile(t, last))
	if end, err := format.ParseEnd(all[len(all)-1].Payload); err != nil || end.Reason != "command exited" || end.Next != 0 {
		t.Errorf("the last file ends with %+v, %v", end, err)
	}
}

// TestRecordMaxSize: reaching the size ends the recording in order.
func TestRecordMaxSize(t *testing.T) {
	te, rec := newBulky(t, 200)
	rec.each = func() { time.Sleep(time.Millisecond) } // the writer has time to write
	file := filepath.Join(t.TempDir(), "a.spl")
	if code := te.run("record", "-o", file, "--max-size", "300k"); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	all := events(t, readFile(t, file))
	end, err := format.ParseEnd(all[len(all)-1].Payload)
	if err != nil || end.Reason != "size limit" || len(all) > 350 {
		t.Errorf("%d events, END %+v, %v", len(all), end, err)
	}
}

// TestRecordAppends: one more section, and nothing where that would do harm.
func TestRecordAppends(t *testing.T) {
	dir := t.TempDir()
	te, rec := newTestEnv(), newFakeRecorder(t)
	rec.use(te)
	file := filepath.Join(dir, "a.spl")
	if code := te.run("record", "-o", file); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	first := readFile(t, file)
	if code := te.run("record", "-o", file, "--append"); code != exitOK {
		t.Fatalf("--append: exit %d: %s", code, te.err.String())
	}
	if code := te.run("show", file); code != exitOK || strings.Count(te.out.String(), "\n") != 6 {
		t.Errorf("show: exit %d, %s, %s", code, te.out.String(), te.err.String())
	}
	both := readFile(t, file)
	if !bytes.HasPrefix(both, first) {
		t.Error("what was there changed")
	}

	refused := []struct {
		name string
		data []byte
		want string
	}{
		{"text.spl", []byte("a letter"), "not a spliff session"},
		{"empty.spl", nil, "not a spliff session"},
		{"cut.spl", first[:len(first)/2], "the session is damaged, nothing is added to it"},
		{"struck.spl", append([]byte{0}, first...), "the session is damaged"},
	}
	for _, tt := range refused {
		name := filepath.Join(dir, tt.name)
		if err := os.WriteFile(name, tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if code := te.run("record", "-o", name, "--append"); code != exitRuntime || !strings.Contains(te.err.String(), tt.want) {
			t.Errorf("%s: exit %d, %s, want %q", tt.name, code, te.err.String(), tt.want)
		}
		if !bytes.Equal(readFile(t, name), tt.data) {
			t.Errorf("%s changed", tt.name)
		}
	}
	if code := te.run("record", "-o", filepath.Join(dir, "no.spl"), "--append"); code != exitRuntime || len(glob(t, dir, "no*")) > 0 {
		t.Errorf("append to nothing: exit %d, %s", code, te.err.String())
	}
}

func TestRotateValue(t *testing.T) {
	tests := []struct {
		in   []string
		want string
		err  string
	}{
		{[]string{"100MiB"}, "100MiB", ""},
		{[]string{"1h"}, "1h0m0s", ""},
		{[]string{"5m"}, "5m0s", ""},
		{[]string{"5M"}, "5MiB", ""},
		{[]string{"1g", "1h30m"}, "1GiB 1h30m0s", ""},
		{[]string{"1000000000001"}, "1000000000001", ""},
		{[]string{"1g", "2g"}, "", "two sizes"},
		{[]string{"1h", "1g", "2h"}, "", "two durations"},
		{[]string{"10ms"}, "", "too short"},
		{[]string{"-5m"}, "", "too short"},
		{[]string{"10k"}, "", "too small"},
		{[]string{"0"}, "", "too small"},
		{[]string{"daily"}, "", "neither a size nor a duration"},
		{[]string{"1e300"}, "", "neither"},
	}
	for _, tt := range tests {
		var v rotateValue
		var err error
		for _, s := range tt.in {
			if err = v.Set(s); err != nil {
				break
			}
		}
		if tt.err == "" && (err != nil || v.String() != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%v: %q, %v; want %q, %q", tt.in, v.String(), err, tt.want, tt.err)
		}
	}
}
