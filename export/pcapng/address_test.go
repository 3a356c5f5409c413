package pcapng

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

func TestPortsNeverMerge(t *testing.T) {
	const n = 200
	var items []*replay.Item
	a := asClient(nginx(1, "127.0.0.1:40112", "127.0.0.1:443"))
	b := nginx(2, "127.0.0.1:443", "127.0.0.1:40112")
	items = append(items, data(a, true, 0, "x"), data(b, true, 0, "x"), end(a, format.ConnEnd{}), end(b, format.ConnEnd{}))
	for i := uint32(3); i < n; i++ {
		c := nginx(i, "", "")
		if i%2 == 0 {
			c = nginx(i, "127.0.0.1:443", "127.0.0.1:40112")
		}
		items = append(items, data(c, true, 0, "x"), end(c, format.ConnEnd{}))
	}
	file := write(t, items...)
	seen := map[string]bool{}
	for _, p := range read(t, file) {
		if p.flags == "S" {
			if seen[p.from+p.to] {
				t.Errorf("%s to %s begins twice", p.from, p.to)
			}
			seen[p.from+p.to] = true
			if !strings.HasSuffix(p.to, " 80") {
				t.Errorf("%s is not the plain port", p.to)
			}
		}
	}
	if len(seen) != n-1 {
		t.Errorf("%d connections, want %d", len(seen), n-1)
	}
	for _, want := range []string{"Addresses: really 127.0.0.1:40112 to 127.0.0.1:443", "Addresses: not known"} {
		if !bytes.Contains(file, []byte(want)) {
			t.Errorf("no comment %q", want)
		}
	}
}

func TestAddressesRunOut(t *testing.T) {
	var a addresses
	a.reset()
	ap := netip.MustParseAddrPort
	for _, pair := range [][2]netip.AddrPort{{ap("10.0.0.1:5"), ap("10.0.0.2:443")}, {ap("[::1]:5"), ap("[::1]:443")}} {
		seen := map[tuple]bool{}
		for range 66000 {
			got := a.take(pair[0], pair[1])
			if seen[got] {
				t.Fatalf("%v given twice", got)
			}
			seen[got] = true
		}
	}
}
