package content

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	tests := []struct {
		name, in, kind string
		want, charset  string // charset "": taken as it is
	}{
		{"UTF-8", "größer", "text/plain; charset=utf-8", "", ""},
		{"nothing said", "gr\xf6\xdfer", "text/plain", "", ""},
		{"Latin-1", "gr\xf6\xdfer", "text/plain; charset=ISO-8859-1", "größer", "windows-1252"},
		{"quoted", "5 \x80", `text/html; x=y; charset="windows-1252"`, "5 €", "windows-1252"},
		{"Cyrillic", "\xd0\xd2\xc9\xd7\xc5\xd4", "text/plain;charset=koi8-r", "привет", "koi8-r"},
		{"Shift JIS", "\x93\xfa\x96\x7b", "text/plain; charset=shift_jis", "日本", "shift_jis"},
		{"GBK", "\xd6\xd0\xce\xc4", "application/xml; charset=gb2312", "中文", "gbk"},
		{"Big5", "\xa4\xa4\xa4\xe5", "text/plain; charset=big5", "中文", "big5"},
		{"EUC-KR", "\xc7\xd1", "text/plain; charset=euc-kr", "한", "euc-kr"},
		{"ISO-2022-JP", "\x1b$BF|K\\\x1b(B", "text/plain; charset=iso-2022-jp", "日本", "iso-2022-jp"},
		{"UTF-16 by its mark", "\xff\xfeh\x00i\x00", "", "hi", "utf-16le"},
		{"UTF-16 the other way", "\xfe\xff\x00h\x00i", "text/plain", "hi", "utf-16be"},
		{"the mark wins", "\xff\xfeh\x00i\x00", "text/plain; charset=utf-8", "hi", "utf-16le"},
		{"UTF-16 without a mark", "h\x00i\x00", "text/plain; charset=utf-16le", "hi", "utf-16le"},
		{"plain ASCII", "hi", "text/plain; charset=iso-8859-1", "", ""},
		{"no text", "\x89PNG\xff", "image/png; charset=iso-8859-1", "", ""},
		{"a set that is none", "\xff", "text/plain; charset=klingon", "", ""},
		{"a set that says it is replaced", "\xff", "text/plain; charset=hz-gb-2312", "", ""},
		{"a set that does not fit", "\xff\xff\xff\xff", "text/plain; charset=shift_jis", "", ""},
		{"binary that begins like a mark", "\xff\xfe\x00\x00\x01\x00", "", "", ""},
		{"binary that is called text", "\x00\x01\xff", "text/plain; charset=windows-1252", "", ""},
		{"empty", "", "text/plain; charset=iso-8859-1", "", ""},
	}
	for _, tt := range tests {
		got, charset, ok := Text([]byte(tt.in), tt.kind)
		if string(got) != tt.want || charset != tt.charset || ok != (tt.charset != "") {
			t.Errorf("%s: %q in %q, %v; want %q in %q", tt.name, got, charset, ok, tt.want, tt.charset)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("gr\xf6\xdfer"), "text/plain; charset=iso-8859-1")
	f.Add([]byte("\xff\xfeh\x00i\x00"), "")
	f.Add([]byte("\x1b$BF|K\\\x1b(B"), "text/plain; charset=iso-2022-jp")
	f.Fuzz(func(t *testing.T, b []byte, kind string) {
		in := bytes.Clone(b)
		text, charset, ok := Text(b, kind)
		if ok && (charset == "" || !utf8.Valid(text) || len(text) > 3*len(b)+3) {
			t.Errorf("%d bytes of %d in %q", len(text), len(b), charset)
		}
		if !bytes.Equal(in, b) {
			t.Error("the body was changed")
		}
	})
}
