package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/NoFear0411/spliff/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares out with testdata/NAME.golden.
func golden(t *testing.T, name string, out []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	out = bytes.ReplaceAll(out, []byte(release), []byte("VERSION"))
	out = regexp.MustCompile(`not found: [^"\n]*`).ReplaceAll(out, []byte("not found: KINDS")) // there will be more
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./cmd/spliff -update writes it)", err)
	}
	if d := cmp.Diff(string(want), string(out)); d != "" {
		t.Errorf("%s: -want +got\n%s", path, d)
	}
}

// hostileInventory has what a bad neighbour names its files and programs.
func hostileInventory() *record.Inventory {
	ssl := record.Target{ID: 1, Library: "openssl", Path: "/usr/lib/libssl.so.3", BuildID: "c0ffee", Sites: []record.Site{
		{Name: "SSL_read_internal@0x35290", Why: "first call of both SSL_read and SSL_read_ex"},
		{Name: "SSL_write", Why: "exported", Cost: record.CostStepped},
	}}
	copied := ssl
	copied.ID, copied.Path = 2, "/tmp/\x1b[2Jlibssl.so.3\n[✓] all is well (deleted)"
	many := []record.Process{}
	for i := range 11 {
		many = append(many, record.Process{PID: uint32(100 + i), Comm: "nginx"})
	}
	return &record.Inventory{Found: []record.Found{
		{Target: ssl, Processes: many},
		{Target: copied, Processes: []record.Process{{PID: 7, Comm: "\x1b]0;evil\x07"}}},
		{Target: record.Target{Library: "gnutls", Path: "/usr/lib/libgnutls.so.30", Problem: "resolve gnutls_record_send: no TLS library found"}},
		{Target: record.Target{Library: "rustls", Path: "/usr/bin/uv", Problem: "seen, not supported"}, Processes: []record.Process{{PID: 9, Comm: "uv"}}},
		{Target: record.Target{Path: "/opt/libssl.so.3", Problem: "parse /opt/libssl.so.3: not a usable ELF file"}},
	}}
}

// doctorReports are hosts as record.Examine describes them.
func doctorReports() map[string]*record.Report {
	hidden := hostileInventory()
	hidden.Found, hidden.Hidden = hidden.Found[:1], 34
	return map[string]*record.Report{
		"well": {Found: &record.Inventory{Found: hostileInventory().Found[:1]}, Checks: []record.Check{
			{Name: "Linux 6.18.1 x86_64", Text: "BTF, ring buffer"},
			{Name: "uprobe-multi", Text: "in Linux since 6.6"},
			{Name: "Privileges", Text: "root"},
			{Name: "Trial", Text: "9 programs loaded, attached and taken off in 143 ms"},
		}},
		"old": {Found: hostileInventory(), Checks: []record.Check{
			{Name: "Linux 6.1.0 x86_64", Text: "BTF, ring buffer"},
			{Name: "uprobe-multi", State: record.StateLimit, Text: "not in this kernel: each probe is a link of its own", Fix: "boot Linux 6.6 or newer"},
			{Name: "Memory", State: record.StateWarning, Text: "128 MiB available", Fix: "record with a smaller buffer: --ring 8MiB"},
		}},
		"user": {Found: hidden, Checks: []record.Check{
			{Name: "Linux 6.18.1 x86_64", Text: "BTF, ring buffer"},
			{Name: "Privileges", State: record.StateUnchecked, Text: "user 1000: recording needs root", Fix: "sudo spliff doctor"},
		}},
		"container": {Checks: []record.Check{
			{Name: "Privileges", State: record.StateBlocked, Text: "root without CAP_BPF", Fix: "run on the host"},
			{Name: "Trial", State: record.StateUnchecked, Text: "programs were not loaded"},
		}},
		"mac": {Checks: []record.Check{
			{Name: "darwin arm64", State: record.StateUnsupported, Text: "recording needs Linux on amd64 or arm64", Fix: "record on a Linux host, read the session here"},
		}},
	}
}

// TestDoctor: what is printed of each host, and the exit code.
func TestDoctor(t *testing.T) {
	codes := map[string]int{"well": exitOK, "old": exitOK, "user": exitOK, "container": exitNegative, "mac": exitUnsupported}
	for name, report := range doctorReports() {
		t.Run(name, func(t *testing.T) {
			te := newTestEnv()
			te.examine = func(context.Context) (*record.Report, error) { return report, nil }
			if code := te.run("doctor"); code != codes[name] || te.err.Len() > 0 {
				t.Errorf("exit %d, want %d: %s", code, codes[name], te.err.String())
			}
			golden(t, "doctor/"+name, te.out.Bytes())
			if strings.ContainsAny(te.out.String(), "\x1b\x07") {
				t.Error("a control byte reaches the terminal")
			}
			if code := te.run("doctor", "--json"); code != codes[name] {
				t.Errorf("--json: exit %d, want %d", code, codes[name])
			}
			golden(t, "doctor/"+name+"--json", te.out.Bytes())
			if !json.Valid(te.out.Bytes()) {
				t.Error("invalid JSON")
			}
		})
	}
}

// TestDoctorStyle: colour and ASCII change marks alone.
func TestDoctorStyle(t *testing.T) {
	te := newTestEnv()
	te.examine = func(context.Context) (*record.Report, error) { return doctorReports()["old"], nil }
	te.run("doctor", "--color=always")
	if !strings.Contains(te.out.String(), "[\x1b[31m✗\x1b[0m] uprobe-multi") {
		t.Errorf("colour: %q", te.out.String())
	}
	te.vars["LANG"] = "C"
	te.run("doctor")
	if out := te.out.String(); !strings.Contains(out, "[x] uprobe-multi") || !strings.Contains(out, "libssl.so.3, ") {
		t.Errorf("ASCII: %q", out)
	}
}

// TestLibs: the table for people, lines for programs, and what is said on stderr.
func TestLibs(t *testing.T) {
	te := newTestEnv()
	inv := hostileInventory()
	inv.Hidden = 2
	var asked []uint32
	te.survey = func(_ context.Context, pids []uint32, _ []record.Offsets) (*record.Inventory, error) {
		asked = pids
		return inv, nil
	}
	for _, args := range [][]string{{"libs"}, {"libs", "--json"}, {"record", "--show-libs"}} {
		if code := te.run(append(args, "-p", "7,9")...); code != exitOK {
			t.Errorf("%v: exit %d: %s", args, code, te.err.String())
		}
		name := strings.Join(args, "")
		if args[0] == "record" {
			name = "libs" // the same
		}
		golden(t, "libs/"+name, te.out.Bytes())
		if !strings.Contains(te.err.String(), "2 processes were not looked into") || fmt.Sprint(asked) != "[7 9]" {
			t.Errorf("%v: asked for %v, said %q", args, asked, te.err.String())
		}
		if strings.ContainsAny(te.out.String(), "\x1b\x07") {
			t.Errorf("%v: a control byte reaches the terminal", args)
		}
	}
	inv = &record.Inventory{}
	if code := te.run("libs"); code != exitNegative || !strings.Contains(te.err.String(), "no TLS library") {
		t.Errorf("nothing found: exit %d, %q", code, te.err.String())
	}
	te.survey = func(context.Context, []uint32, []record.Offsets) (*record.Inventory, error) {
		return nil, fmt.Errorf("%w: 9", record.ErrNoProcess)
	}
	if code := te.run("libs", "-p", "9"); code != exitRuntime || !strings.Contains(te.err.String(), "no such process: 9") {
		t.Errorf("no process: exit %d, %q", code, te.err.String())
	}
	if code := te.run("libs", "extra"); code != exitUsage {
		t.Errorf("argument: exit %d", code)
	}
}
