package eventjson_test

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/format/eventjson"
)

// A session is made of a few lines written by hand, and shown as the events it
// holds.
func Example() {
	text := strings.NewReader(`{"conn":0,"dir":"c2s","ts":1000,"text":"GET / HTTP/1.1\r\n\r\n"}
{"conn":0,"dir":"s2c","ts":2000,"data":"/w=="}
`)
	var session bytes.Buffer
	if err := eventjson.Import(&session, text, format.WriterOptions{}); err != nil {
		log.Fatal(err)
	}
	r, err := format.NewReader(&session, format.ReaderOptions{})
	if err != nil {
		log.Fatal(err)
	}
	sum, err := eventjson.Export(os.Stdout, r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Events, "events")
	// Output:
	// {"seq":0,"time":1000,"type":"session","payload":{"writer":"spliff import","wall":1000,"mono":1000}}
	// {"seq":1,"time":1000,"type":"proc","payload":{"pid":1,"comm":"client"}}
	// {"seq":2,"time":1000,"type":"conn","conn":1,"payload":{"pid":1,"role":"client"}}
	// {"seq":3,"time":1000,"type":"data","conn":1,"dir":"write","text":"GET / HTTP/1.1\r\n\r\n"}
	// {"seq":4,"time":2000,"type":"data","conn":1,"dir":"read","base64":"/w=="}
	// {"seq":5,"time":2000,"type":"end","payload":{"reason":"imported","events":5,"bytes":19}}
	// 6 events
}
