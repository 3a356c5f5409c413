package format

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzCopy: whatever a file is, what is copied of it is a whole file with the same
// events, and what Inspect counts is there.
func FuzzCopy(f *testing.F) {
	file, _ := small(f)
	f.Add(file)
	f.Add(file[:len(file)-100])
	f.Add(flip(file, 400))
	f.Add(slices.Concat(file[:1500], file))
	f.Add(zstdOf(f, rawLog(f, file)))
	f.Add(slices.Concat(memberFiles(f, conversation(rand.New(rand.NewPCG(1, 9)), 300, 60))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		o := ReaderOptions{MaxChunk: 1 << 20}
		rep, err := Inspect(bytes.NewReader(b), o)
		if err != nil {
			return
		}
		r, err := NewReader(bytes.NewReader(b), o)
		if err != nil {
			t.Fatal(err)
		}
		want, err := drain(r)
		if err != nil {
			t.Fatal(err)
		}
		r, _ = NewReader(bytes.NewReader(b), o)
		var out bytes.Buffer
		c := NewCopier(&out, CopyOptions{})
		if err := c.Add(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		sum, err := c.Close()
		if err != nil {
			t.Fatal(err)
		}
		// A file header without an intact chunk behind it begins no section.
		if rep.More == 0 && sum.Sections > len(rep.Sections) && sum.Refused == 0 {
			t.Fatalf("%d sections copied, %d inspected", sum.Sections, len(rep.Sections))
		}
		if sum.Sections == 0 {
			return
		}
		again, err := Inspect(bytes.NewReader(out.Bytes()), o)
		if err != nil || slices.ContainsFunc(again.Damage, func(d Damage) bool { return d.Kind != DamageMissing }) {
			t.Fatalf("the copy: %v, %v", err, again.Damage)
		}
		got, _ := read(t, out.Bytes())
		if d := diffEvents(originals(want), originals(got)); d != "" && sum.Refused == 0 {
			t.Fatalf("-want +got\n%s", d)
		}
	})
}
