package sealed

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// FuzzReader changes an encrypted file: a stream and reading at random agree, and
// every block delivered is the one written there, or zeros.
func FuzzReader(f *testing.F) {
	id, to := newKey(f)
	plain := noise(2*Block + 300)
	file := seal(f, plain, 1<<20, to)
	f.Add(uint32(0), uint32(0), []byte{})
	f.Add(uint32(300), uint32(10), []byte{1})
	f.Add(uint32(Block), uint32(sealedLen), []byte("xyz"))
	f.Add(uint32(len(file)), uint32(0), file[:1000])
	f.Fuzz(func(t *testing.T, at, cut uint32, put []byte) {
		a := min(int(at), len(file))
		b := min(a+int(cut), len(file))
		changed := append(append(bytes.Clone(file[:a]), put...), file[b:]...)
		if _, err := NewReader(bytes.NewReader(changed), id); err != nil {
			if _, err := NewReaderAt(bytes.NewReader(changed), int64(len(changed)), id); err == nil {
				t.Fatal("opens at random only")
			}
			return
		}
		got, faults := both(t, changed, id)
		for i := 0; i < len(got); i += Block {
			block := got[i:min(i+Block, len(got))]
			if i < len(plain) && bytes.Equal(block, plain[i:min(i+Block, len(plain))]) {
				continue
			}
			if len(bytes.Trim(block, "\x00")) > 0 {
				t.Fatalf("block at %d is neither what was written nor zeros", i)
			}
		}
		if !bytes.Equal(changed, file) && len(faults) == 0 && !bytes.Equal(got, plain) {
			t.Fatal("a change went unnoticed")
		}
	})
}

// FuzzKeys: no text makes the parsers panic or quote it.
func FuzzKeys(f *testing.F) {
	id, _ := newKey(f)
	for _, s := range []string{id.String(), id.Recipient().String(), "ssh-ed25519 AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "AGE-PLUGIN-X-1", "# c\n\nage1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, a := ParseRecipients(strings.NewReader(s))
		_, b := ParseIdentities([]byte(s))
		for _, err := range []error{a, b} {
			if err != nil && len(s) > 20 && strings.Contains(err.Error(), s) {
				t.Fatalf("the error quotes its input: %v", err)
			}
		}
	})
}

// BenchmarkRead is how fast a session is decrypted from its start to its end.
func BenchmarkRead(b *testing.B) {
	id, to := newKey(b)
	file := seal(b, noise(8<<20), 1<<20, to)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		r, err := NewReaderAt(bytes.NewReader(file), int64(len(file)), id)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, io.NewSectionReader(r, 0, r.Size())); err != nil {
			b.Fatal(err)
		}
	}
}
