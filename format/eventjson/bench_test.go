package eventjson

import (
	"bytes"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

// benchEvents are DATA of 16 KiB: text, and bytes that are none.
func benchEvents() map[string]format.Event {
	text := strings.Repeat("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n", 300)[:16<<10]
	return map[string]format.Event{
		"text":   {Type: format.TypeData, Conn: 1, Dir: 1, Seq: 5, Time: 1 << 40, Payload: []byte(text)},
		"base64": {Type: format.TypeData, Conn: 1, Dir: 1, Seq: 5, Time: 1 << 40, Payload: bytes.Repeat([]byte("\xff\x00"), 8<<10)},
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, ev := range benchEvents() {
		b.Run(name, func(b *testing.B) {
			var buf []byte
			b.SetBytes(int64(len(ev.Payload)))
			b.ReportAllocs()
			for b.Loop() {
				buf = Append(buf[:0], &ev)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, ev := range benchEvents() {
		b.Run(name, func(b *testing.B) {
			line := Append(nil, &ev)
			var d Decoder
			var buf []byte
			var got format.Event
			b.SetBytes(int64(len(ev.Payload)))
			b.ReportAllocs()
			for b.Loop() {
				buf = append(buf[:0], line...)
				if err := d.Decode(buf, &got); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
