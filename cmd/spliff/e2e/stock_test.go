package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/NoFear0411/spliff/format"
)

// TestStockTools: what others have is enough for a real session: zstd proves and
// unpacks it, alone, behind another, in parts, and after age.
func TestStockTools(t *testing.T) {
	needRoot(t)
	need(t, "zstd", "age", "age-keygen")
	url, root := nginx(t)
	noise(t, root, "stock", 3, 150_000)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	key := file("key")
	must(t, "age-keygen", "-o", key)
	to := string(bytes.TrimSpace([]byte(must(t, "age-keygen", "-y", key))))
	get := append([]string{"--"}, fetch(url, 3)...)
	rec := func(args ...string) {
		t.Helper()
		must(t, spliff, append(append([]string{"record", "-q"}, args...), get...)...)
	}
	rec("-o", file("a.spl"))
	rec("-o", file("b.spl"), "--rotate", "64KiB", "--sync", "chunk")
	rec("-o", file("c.spl"))
	rec("-o", file("c.spl"), "--append")
	rec("-o", file("d.spl.age"), "--encrypt-to", to)
	rec("-o", file("e.spl.age"), "--encrypt-to", to, "--sync", "chunk")

	plain, _ := filepath.Glob(file("*.spl"))
	if len(plain) < 3 {
		t.Fatalf("%d files: %v", len(plain), plain)
	}
	for _, name := range plain {
		must(t, "zstd", "-tq", name)
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sameLog(t, name, b, []byte(must(t, "zstd", "-dcq", name)))
	}
	var both []byte
	for _, name := range []string{file("a.spl"), file("c.spl")} {
		b, _ := os.ReadFile(name)
		both = append(both, b...)
	}
	if err := os.WriteFile(file("both"), both, 0o600); err != nil {
		t.Fatal(err)
	}
	sameLog(t, "cat a c", both, []byte(must(t, "zstd", "-dcq", file("both"))))
	for _, name := range []string{file("d.spl.age"), file("e.spl.age")} {
		opened := must(t, "age", "-d", "-i", key, name)
		out, err := exec.Command("sh", "-c", `age -d -i "$1" "$2" | zstd -dcq`, "sh", key, name).Output()
		if err != nil {
			t.Fatalf("%s: age -d | zstd -dc: %v", name, err)
		}
		sameLog(t, name, []byte(opened), out)
	}
}

// sameLog compares what zstd unpacked with what the reader of the format gives: a
// session that another zstd has packed again is the same log.
func sameLog(t *testing.T, name string, file, log []byte) {
	t.Helper()
	cmd := exec.Command("zstd", "-cq")
	cmd.Stdin = bytes.NewReader(log)
	packed, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want, got := logEvents(t, name, file), logEvents(t, name, packed)
	if len(want) < 10 || len(want) != len(got) {
		t.Fatalf("%s: %d events in the session, %d in its log", name, len(want), len(got))
	}
	for i := range want {
		if want[i] != got[i] {
			t.Fatalf("%s: event %d: %q, unpacked %q", name, i, want[i], got[i])
		}
	}
}

// logEvents lists type, connection, low half of seq, time and payload of all events.
func logEvents(t *testing.T, name string, b []byte) []string {
	t.Helper()
	r, err := format.NewReader(bytes.NewReader(b), format.ReaderOptions{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var list []string
	var ev format.Event
	for err = r.Next(&ev); err == nil; err = r.Next(&ev) {
		list = append(list, string([]byte{byte(ev.Type), byte(ev.Conn), byte(ev.Seq), byte(ev.Seq >> 8), byte(ev.Time), byte(ev.Flags)})+string(ev.Payload))
	}
	if !errors.Is(err, io.EOF) || r.Damage() != nil {
		t.Fatalf("%s: %v, %v", name, err, r.Damage())
	}
	return list
}
