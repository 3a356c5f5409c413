package format

import (
	"bytes"
	"testing"
)

// TestCopyNoArguments: no command line is left, and all else of a description,
// what a later version puts there included.
func TestCopyNoArguments(t *testing.T) {
	proc := Proc{PID: 7, PPID: 1, Comm: "curl", Exe: "/usr/bin/curl", Cgroup: "/a"}
	with := proc
	with.Args = []string{"curl", "-d", "secret=canary"}
	info := testSession()
	info.Command = []string{"spliff", "record", "--", "curl", "-d", "secret=canary"}
	var file bytes.Buffer
	w, err := NewWriter(&file, info, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	later := appendTLV(with.AppendTo(nil), 99, "from later")
	for i, p := range [][]byte{later, append(with.AppendTo(nil), 1, 2, 3)} {
		if err := w.Append(&Event{Type: TypeProc, Seq: uint64(i) + 1, Payload: p}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, _ := rewrite(t, CopyOptions{Edited: true, NoArguments: true}, Query{}, file.Bytes())
	evs, damage := read(t, got)
	if len(damage) > 0 || len(evs) != 3 {
		t.Fatalf("damage %v, %d events", damage, len(evs))
	}
	if s, err := ParseSession(evs[0].Payload); err != nil || len(s.Command) > 0 || s.Writer != info.Writer {
		t.Errorf("session %+v, %v", s, err)
	}
	if want := appendTLV(proc.AppendTo(nil), 99, "from later"); !bytes.Equal(evs[1].Payload, want) {
		t.Errorf("process %q, want %q", evs[1].Payload, want)
	}
	if want := proc.AppendTo(nil); !bytes.Equal(evs[2].Payload, want) {
		t.Errorf("process with a fault %q, want %q", evs[2].Payload, want)
	}
	if f := open(t, got); len(f.Header().Command) > 0 {
		t.Errorf("the file header says %q", f.Header().Command)
	}
}
