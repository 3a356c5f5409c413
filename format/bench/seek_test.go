package main

import (
	"bytes"
	"io"
	"testing"

	seekable "github.com/SaveTheRbtz/zstd-seekable-format-go/pkg"
	"github.com/klauspost/compress/zstd"

	"github.com/NoFear0411/spliff/format"
)

// A reader of the zstd seekable format that knows nothing of us finds any byte of
// the log by the table at the end.
func TestSeekTable(t *testing.T) {
	c := newCorpus(8 << 20)
	var file bytes.Buffer
	w, err := format.NewWriter(&file, session(), format.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var ev format.Event
	for i := range c.items {
		c.event(i, &ev)
		if err := w.Append(&ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	log, err := io.ReadAll(dec)
	if err != nil {
		t.Fatal(err)
	}
	part, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	r, err := seekable.NewReader(bytes.NewReader(file.Bytes()), part)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]byte, 1000)
	for at := int64(0); at < int64(len(log)-len(got)); at += 99_991 {
		if _, err := r.ReadAt(got, at); err != nil {
			t.Fatalf("at %d: %v", at, err)
		}
		if !bytes.Equal(got, log[at:at+int64(len(got))]) {
			t.Fatalf("at %d: other bytes", at)
		}
	}
	if end, err := r.Seek(0, io.SeekEnd); err != nil || end != int64(len(log)) {
		t.Errorf("the table speaks of %d bytes, the log has %d; %v", end, len(log), err)
	}
}
