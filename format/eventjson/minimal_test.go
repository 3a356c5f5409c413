package eventjson

import (
	"bytes"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

// TestMinimal: the events that are made of conversations.
func TestMinimal(t *testing.T) {
	const head = `{"seq":0,"type":"session","payload":{"writer":"spliff import"}}` + "\n"
	const timed = `{"seq":0,"time":1000,"type":"session","payload":{"writer":"spliff import","wall":1000,"mono":1000}}` + "\n"
	tests := []struct{ name, text, want string }{
		{"talk", `{"client":"10.0.0.5:40111","conn":0,"server":"[2001:db8::1]:443","alpn":"h2"}
{"conn":0,"dir":"c2s","ts":1000,"text":"GET"}
{"conn":0,"dir":"s2c","ts":2000,"data":"/wA="}
{"conn":0,"dir":"s2c","gap":127}
{"conn":0,"dir":"s2c","ts":"3000","text":"x"}
{"conn":0,"dir":"s2c","end":"fin"}
{"conn":0,"dir":"c2s","end":"fin"}`,
			timed + `{"seq":1,"time":1000,"type":"proc","payload":{"pid":1,"comm":"client"}}
{"seq":2,"time":1000,"type":"conn","conn":1,"payload":{"pid":1,"role":"client","local":"10.0.0.5:40111","remote":"[2001:db8::1]:443","alpn":"h2"}}
{"seq":3,"time":1000,"type":"data","conn":1,"dir":"write","text":"GET"}
{"seq":4,"time":2000,"type":"data","conn":1,"dir":"read","base64":"/wA="}
{"seq":5,"time":2000,"type":"drop","conn":1,"dir":"read","payload":{"bytes":127,"offset":2}}
{"seq":6,"time":3000,"type":"data","conn":1,"dir":"read","offset":129,"text":"x"}
{"seq":7,"time":3000,"type":"conn_end","conn":1,"payload":{"reason":"free","shutdown":true,"written":3,"read":130,"lost_read":127}}
{"seq":8,"time":3000,"type":"end","payload":{"reason":"imported","events":8,"bytes":6,"lost_bytes":127}}
`},
		{"one line", `{"conn":7,"dir":"s2c","text":"x"}`, head + `{"seq":1,"type":"proc","payload":{"pid":1,"comm":"client"}}
{"seq":2,"type":"conn","conn":8,"payload":{"pid":1,"role":"client"}}
{"seq":3,"type":"data","conn":8,"dir":"read","text":"x"}
{"seq":4,"type":"end","payload":{"reason":"imported","events":4,"bytes":1}}
`},
		{"described only, no brackets", `{"conn":1,"server":"::1:80"}` + "\n" + `{"conn":0,"alpn":"http/1.1"}`, head + `{"seq":1,"type":"proc","payload":{"pid":1,"comm":"client"}}
{"seq":2,"type":"conn","conn":1,"payload":{"pid":1,"role":"client","alpn":"http/1.1"}}
{"seq":3,"type":"conn","conn":2,"payload":{"pid":1,"role":"client","remote":"[::1]:80"}}
{"seq":4,"type":"end","payload":{"reason":"imported","events":4}}
`},
		{"resets and a used id", `{"conn":0,"dir":"c2s","end":"fin"}
{"conn":0,"dir":"s2c","end":"rst"}
{"conn":0,"alpn":"h2"}
{"conn":0,"dir":"c2s","end":"rst"}
{"conn":1,"dir":"c2s","end":"rst"}
{"conn":1,"dir":"s2c","end":"fin"}
{"conn":2,"dir":"c2s","end":"fin"}`, head + `{"seq":1,"type":"proc","payload":{"pid":1,"comm":"client"}}
{"seq":2,"type":"conn","conn":1,"payload":{"pid":1,"role":"client"}}
{"seq":3,"type":"conn_end","conn":1,"payload":{}}
{"seq":4,"type":"conn","conn":1,"payload":{"pid":1,"role":"client","alpn":"h2"}}
{"seq":5,"type":"conn","conn":2,"payload":{"pid":1,"role":"client"}}
{"seq":6,"type":"conn_end","conn":2,"payload":{"reason":"free"}}
{"seq":7,"type":"conn","conn":3,"payload":{"pid":1,"role":"client"}}
{"seq":8,"type":"conn_end","conn":1,"payload":{}}
{"seq":9,"type":"end","payload":{"reason":"imported","events":9}}
`},
	}
	for _, tt := range tests {
		got, sum := exported(t, imported(t, tt.text))
		if got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		if !sum.Closed {
			t.Errorf("%s: not closed", tt.name)
		}
	}
}

func TestBadMinimal(t *testing.T) {
	const first = `{"conn":3,"dir":"c2s","text":"x"}` + "\n"
	checkBad(t, []badImport{
		{first + `{"dir":"c2s","text":"x"}`, 2, `no field "conn"`},
		{first + `{"conn":1,"text":"x"}`, 2, `no field "dir"`},
		{first + `{"conn":1,"dir":"c2s"}`, 2, `no field says what happened: data, text, gap or end`},
		{first + `{"conn":1,"dir":"write","text":"x"}`, 2, `dir: no value is called "write" (there are c2s, s2c)`},
		{first + `{"conn":1,"dir":3,"text":"x"}`, 2, `dir: 3 is neither 1 nor 2`},
		{first + `{"conn":1,"dir":"c2s","text":"x","data":"eA=="}`, 2, `more than one of data, text, gap and end`},
		{first + `{"conn":1,"dir":"c2s","gap":1,"end":"fin"}`, 2, `more than one of data, text, gap and end`},
		{first + `{"conn":1,"dir":"c2s","gap":0}`, 2, `gap: nothing is missing`},
		{first + `{"conn":3,"dir":"c2s","gap":"18446744073709551615"}`, 2, `conn 3: c2s has more bytes than can be counted`},
		{first + `{"conn":1,"dir":"c2s","end":"eof"}`, 2, `end: no value is called "eof" (there are fin, rst)`},
		{first + `{"conn":1,"dir":"c2s","end":3}`, 2, `end: 3 is neither 1 nor 2`},
		{first + `{"conn":1,"dir":"c2s","data":"x"}`, 2, `base64: not valid: illegal base64 data at input byte 0`},
		{first + `{"conn":4294967295,"dir":"c2s","text":"x"}`, 2, `conn: 4294967295 is over 4294967294`},
		{first + `{"conn":-1,"dir":"c2s","text":"x"}`, 2, `conn: -1 is below 0`},
		{first + `{"conn":1,"dir":"c2s","text":"x","seq":1}`, 2, `unknown field "seq"`},
		{first + `{"conn":1,"conn":1}`, 2, `field "conn" twice`},
		{first + `{"conn":3,"alpn":"h2"}`, 2, `conn 3: described twice, or after its first line`},
		{first + `{"conn":1,"alpn":"h2","text":"x"}`, 2, `a line that describes a connection has no dir, data, text, gap and end`},
		{first + `{"conn":1,"client":"localhost:80"}`, 2, `client: "localhost:80" is not an address with a port`},
		{first + `{"conn":1,"client":"1.2.3.4:65536"}`, 2, `client: "1.2.3.4:65536" is not an address with a port`},
		{first + `{"conn":1,"alpn":"` + strings.Repeat("x", format.MaxDefinition) + `"}`, 2, `conn 1: described in 49192 bytes, at most 49152`},
		{first + "{\"conn\":1,\"alpn\":\"\xff\"}", 2, `column 19: not UTF-8; give such bytes as base64`},
		{first + `{"conn":3,"dir":"c2s","end":"fin"}` + "\n" + first, 3, `conn 3: c2s has ended before`},
		{first + `{"conn":3,"dir":"c2s","text":"` + strings.Repeat("x", format.MaxPayload+1) + `"}`, 2, `payload of 16777217 bytes, at most 16777216`},
		{first + `{`, 2, `column 2: the end of the line where the name of a field should be`},
	})
}

func TestIsMinimal(t *testing.T) {
	for line, want := range map[string]bool{
		`{"conn":0,"dir":"c2s","text":"x"}`:           true,
		`{"dir" : "s2c" ,"conn":0}`:                   true,
		`{"conn":0,"ts":{"a":[1,"}"]}}`:               true,
		`{"conn":0,"dir":"write","text":"x"}`:         false,
		`{"seq":1,"type":"data","dir":"c2s","gap":1}`: false,
		`{"gap":1,"type":"data"}`:                     false,
		`{}`:                                          false,
		`nonsense`:                                    false,
		`{"end":"fin"`:                                true,
		`{"\u0065nd":"fin"}`:                          true,
	} {
		if got := isMinimal([]byte(line)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

func TestRaw(t *testing.T) {
	c2s := strings.Repeat("r", rawPiece+1)
	var out bytes.Buffer
	if err := ImportRaw(&out, strings.NewReader(c2s), strings.NewReader("ok"), "h2", format.WriterOptions{}); err != nil {
		t.Fatal(err)
	}
	got, _ := exported(t, out.Bytes())
	want := `{"seq":0,"type":"session","payload":{"writer":"spliff import"}}
{"seq":1,"type":"proc","payload":{"pid":1,"comm":"client"}}
{"seq":2,"type":"conn","conn":1,"payload":{"pid":1,"role":"client","alpn":"h2"}}
{"seq":3,"time":2000,"type":"data","conn":1,"dir":"write","text":"` + c2s[1:] + `"}
{"seq":4,"time":3000,"type":"data","conn":1,"dir":"write","offset":16384,"text":"r"}
{"seq":5,"time":4000,"type":"data","conn":1,"dir":"read","text":"ok"}
{"seq":6,"time":5000,"type":"conn_end","conn":1,"payload":{"reason":"free","shutdown":true,"written":16385,"read":2}}
{"seq":7,"time":5000,"type":"end","payload":{"reason":"imported","events":7,"bytes":16387}}
`
	if got != want {
		t.Errorf("got %s", got)
	}
	if err := ImportRaw(&out, strings.NewReader(""), strings.NewReader(""), strings.Repeat("x", format.MaxDefinition), format.WriterOptions{}); err == nil {
		t.Error("a large alpn is taken")
	}
}
