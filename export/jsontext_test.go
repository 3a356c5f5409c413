package export

import (
	"bytes"
	"strings"
	"testing"
)

// TestPlain: eight bytes at once are judged as each one is, wherever it stands and
// whatever is beside it.
func TestPlain(t *testing.T) {
	for size := range 20 {
		for at := range size {
			for c := range 256 {
				for _, others := range []byte{' ', 'a', '~', ']'} {
					text := bytes.Repeat([]byte{others}, size)
					text[at] = byte(c)
					if got, want := plain(text), jsonEscape[c] == 0; got != want {
						t.Fatalf("%q is plain: %v, want %v", text, got, want)
					}
				}
			}
		}
	}
	if !plain("") || plain("\xff\xff\xff\xff\xff\xff\xff\xff") || plain(strings.Repeat("\x00", 8)) {
		t.Error("nothing is not plain, or eight of a kind are")
	}
}

func BenchmarkAppendWild(b *testing.B) {
	for name, text := range map[string]string{
		"short":  "no-cache",
		"header": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		"json":   `{"id":122,"items":[` + strings.Repeat(`{"sku":"59a4b963","price":115.60,"stock":82},`, 22) + `{}]}`,
		"html":   strings.Repeat(`<p class="text">Some text in a paragraph, with a <a href="/link">link</a>.</p>`+"\n", 14),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			var buf []byte
			for b.Loop() {
				buf = appendWild(buf[:0], text)
			}
		})
	}
}
