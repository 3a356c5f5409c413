package content

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"
)

func zipOf(t *testing.T, names ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, n := range names {
		f, err := w.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSniff(t *testing.T) {
	pad := strings.Repeat("\x00", 100)
	pe := "MZ" + strings.Repeat("\x00", 58) + "\x40\x00\x00\x00PE\x00\x00"
	bmp := "BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00" + pad
	ico := "\x00\x00\x01\x00\x01\x00\x10\x10\x00\x00\x01\x00\x20\x00\x68\x04\x00\x00\x16\x00\x00\x00" + pad
	tests := []struct {
		b     string
		name  string
		class Class
	}{
		{"\x89PNG\r\n\x1a\n" + pad, "PNG image", Image},
		{"GIF89a" + pad, "GIF image", Image},
		{"\xff\xd8\xff\xe0" + pad, "JPEG image", Image},
		{bmp, "BMP image", Image},
		{ico, "ICO image", Image},
		{"II*\x00" + pad, "TIFF image", Image},
		{"RIFF\x00\x00\x00\x00WEBPVP8 ", "WebP image", Image},
		{"\x00\x00\x00\x1cftypavif" + pad, "AVIF image", Image},
		{"\x00\x00\x00\x1cftypheic" + pad, "HEIC image", Image},
		{"<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>", "SVG image", Image},
		{"\x00\x00\x00\x1cftypisom" + pad, "MP4 video", Video},
		{"\x00\x00\x00\x1cftypqt  " + pad, "QuickTime video", Video},
		{"\x00\x00\x00\x1cftypM4A " + pad, "M4A audio", Audio},
		{"\x00\x00\x00\x1cftypzzzz" + pad, "ISO media", Container},
		{"RIFF\x00\x00\x00\x00zzzz", "RIFF container", Container},
		{"RIFF\x00\x00\x00\x00WAVEfmt ", "WAV audio", Audio},
		{"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm" + pad, "WEBM video", Video},
		{"fLaC" + pad, "FLAC audio", Audio},
		{"ID3\x04" + pad, "MP3 audio", Audio},
		{"\xff\xfb\x90\x64" + pad, "MP3 audio", Audio},
		{"\x1f\x8b\x08\x00" + pad, "gzip archive", Archive},
		{"BZh91AY&SY" + pad, "bzip2 archive", Archive},
		{"\x28\xb5\x2f\xfd" + pad, "Zstandard archive", Archive},
		{"7z\xbc\xaf\x27\x1c" + pad, "7z archive", Archive},
		{strings.Repeat("a", 257) + "ustar\x0000" + pad, "TAR archive", Archive},
		{zipOf(t, "a.txt"), "ZIP archive", Archive},
		{zipOf(t, "[Content_Types].xml", "word/document.xml"), "DOCX document", Document},
		{"%PDF-1.7\n", "PDF document", Document},
		{"<?xml version=\"1.0\"?><a/>", "XML document", Document},
		{"<!DOCTYPE html><html></html>", "HTML document", Document},
		{"%!PS-Adobe-3.0\n", "PostScript document", Document},
		{"wOF2" + pad, "WOFF2 font", Font},
		{"\x00\x01\x00\x00\x00\x10" + pad, "TrueType font", Font},
		{"\x7fELF" + pad, "ELF executable", Executable},
		{"\x00asm\x01\x00\x00\x00" + pad, "WebAssembly module", Executable},
		{"\xca\xfe\xba\xbe\x00\x00\x00\x34" + pad, "Java class", Executable},
		{pe, "Windows executable", Executable},
		{"SQLite format 3\x00" + pad, "SQLite database", Database},
	}
	for _, tt := range tests {
		got := Sniff([]byte(tt.b))
		if got.Name != tt.name || got.Class != tt.class || got.MIME == "" {
			t.Errorf("%q: got %+v, want %s, %s", tt.b[:min(len(tt.b), 20)], got, tt.name, tt.class)
		}
	}
}

// TestSniffNothing has what a two-byte mark would wrongly claim.
func TestSniffNothing(t *testing.T) {
	for _, b := range []string{
		"", "a", "hello world", `{"a":1}`, "[1,2]", "BMW is a car maker, not a bitmap image", "%! not PostScript",
		"MZ is two letters, and so it is not an executable at all, whatever", "\xff\xfb", "\xff\xfe\x00\x00hi", "\x1f\x8b\x00\x00\x00\x00",
		"BZh is not enough", "\x00\x00\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "ID3 is a tag",
	} {
		if got := Sniff([]byte(b)); got.Name != "" {
			t.Errorf("%q is taken for %+v", b, got)
		}
	}
}

func TestMarksOrder(t *testing.T) {
	for i, m := range marks {
		for _, later := range marks[i+1:] {
			if strings.HasPrefix(later.mark, m.mark) {
				t.Errorf("mark of %s hides that of %s", m.Name, later.Name)
			}
		}
	}
}

func TestIsText(t *testing.T) {
	long := strings.Repeat("é", textLook)
	tests := []struct {
		b, contentType string
		want           bool
	}{
		{"", "", true},
		{"hello\r\n\tworld", "", true},
		{"h\xc3\xa9llo", "application/octet-stream", true},
		{"\ufeffhello", "", true},
		{"a" + long, "", true},
		{"\x1b[31mred", "", true},
		{"nul\x00", "text/plain", false},
		{"\x89PNG\r\n", "text/plain", false},
		{"h\xe9llo", "", false},
		{"h\xe9llo", "text/plain; charset=utf-8", false},
		{"h\xe9llo", "text/html; charset=ISO-8859-1", true},
		{"h\xe9llo", "image/png; charset=ISO-8859-1", false},
		{"h\xe9llo", `application/problem+json; charset="latin1"`, true},
		{"cut \xc3", "", false},
	}
	for _, tt := range tests {
		if got := IsText([]byte(tt.b), tt.contentType); got != tt.want {
			t.Errorf("%.20q as %q: %v, want %v", tt.b, tt.contentType, got, tt.want)
		}
	}
}

func FuzzSniff(f *testing.F) {
	for i := range marks {
		f.Add([]byte(marks[i].mark))
	}
	f.Add([]byte("\x00\x00\x00\x1cftypisom"))
	f.Add([]byte("\x1a\x45\xdf\xa3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s := Sniff(b); (s.Name == "") != (s.Class == "") || (s.Name == "") != (s.MIME == "") {
			t.Errorf("half a signature: %+v", s)
		}
		IsText(b, "text/plain; charset=x")
	})
}
