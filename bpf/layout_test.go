package bpf

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// layouts are the structs that cross the ring or are read from maps, with the
// size the user side relies on. A change here is a change of event.h's contract.
var layouts = []struct {
	c    string
	goT  any
	size uintptr
}{
	{"ev_hdr", SpliffEvHdr{}, 32},
	{"ev_data", SpliffEvData{}, 48},
	{"ev_conn", SpliffEvConn{}, 152},
	{"ev_end", SpliffEvEnd{}, 112},
	{"ev_hello", SpliffEvHello{}, 40},
	{"ev_handshake", SpliffEvHandshake{}, 40},
	{"ev_fork", SpliffEvFork{}, 96},
	{"ev_proc", SpliffEvProc{}, 1392},
	{"ev_exit", SpliffEvExit{}, 48},
	{"tuple", SpliffTuple{}, 40},
	{"conn", SpliffConn{}, 208},
	{"conn_key", SpliffConnKey{}, 32},
	{"go_key", SpliffGoKey{}, 32},
	{"counts", SpliffCounts{}, 160},
	{"shared", SpliffShared{}, 4096},
	{"slot", SpliffSlot{}, 16},
}

func objects(t *testing.T) map[string]*ebpf.CollectionSpec {
	t.Helper()
	specs := map[string]*ebpf.CollectionSpec{}
	for _, file := range []string{"spliff_x86_bpfel.o", "spliff_arm64_bpfel.o"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		specs[file] = spec
	}
	return specs
}

// TestLayout compares every field's offset and size in both objects' BTF with the
// Go types: one layout for both architectures and both sides.
func TestLayout(t *testing.T) {
	for file, spec := range objects(t) {
		for _, l := range layouts {
			var s *btf.Struct
			if err := spec.Types.TypeByName(l.c, &s); err != nil {
				t.Fatalf("%s: %s: %v", file, l.c, err)
			}
			rt := reflect.TypeOf(l.goT)
			if uintptr(s.Size) != l.size || rt.Size() != l.size {
				t.Errorf("%s: %s: size %d in C, %d in Go, want %d", file, l.c, s.Size, rt.Size(), l.size)
			}
			for _, m := range s.Members {
				f, ok := rt.FieldByNameFunc(func(n string) bool { return strings.EqualFold(n, strings.ReplaceAll(m.Name, "_", "")) })
				if !ok {
					t.Errorf("%s: %s.%s is missing in Go", file, l.c, m.Name)
					continue
				}
				size, err := btf.Sizeof(m.Type)
				if err != nil {
					t.Fatal(err)
				}
				if f.Offset != uintptr(m.Offset.Bytes()) || f.Type.Size() != uintptr(size) {
					t.Errorf("%s: %s.%s: at %d+%d in C, %d+%d in Go", file, l.c, m.Name, m.Offset.Bytes(), size, f.Offset, f.Type.Size())
				}
			}
			if holes := padding(s); holes != "" {
				t.Errorf("%s: %s: unnamed padding %s: stack or ring bytes would leak through it", file, l.c, holes)
			}
		}
	}
}

// padding names the bytes of a struct that no member covers.
func padding(s *btf.Struct) string {
	at := uint32(0)
	for _, m := range s.Members {
		if off := m.Offset.Bytes(); off != at {
			return fmt.Sprintf("before %s (%d..%d)", m.Name, at, off)
		}
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			return err.Error()
		}
		at += uint32(size)
	}
	if at != s.Size {
		return fmt.Sprintf("at the end (%d..%d)", at, s.Size)
	}
	return ""
}

// TestPrograms pins what record attaches by name, and that nothing else is loaded.
func TestPrograms(t *testing.T) {
	want := map[string]string{
		"call_enter": "uprobe.multi", "call_return": "uprobe.multi", "call_session": "uprobe.multi",
		"new_return": "uprobe.multi", "new_session": "uprobe.multi",
		"session_touch": "uprobe.multi", "files_mapped": "uprobe.multi", "inner_read": "uprobe.multi", "inner_copy": "uprobe.multi", "inner_write": "uprobe.multi", "cipher_written": "uprobe.multi",
		"go_enter": "uprobe.multi", "go_leave": "uprobe.multi", "go_done": "uprobe.multi", "go_exit": "uprobe.multi",
		"sock_sent": "tp_btf/sock_send_length", "sock_received": "tp_btf/sock_recv_length",
		"forked": "tp_btf/sched_process_fork", "execed": "tp_btf/sched_process_exec", "exited": "tp_btf/sched_process_exit",
		"list_processes": "iter/task",
	}
	for file, spec := range objects(t) {
		got := map[string]string{}
		for name, p := range spec.Programs {
			got[name] = p.SectionName
			if p.License != "GPL v2" {
				t.Errorf("%s: %s has licence %q", file, name, p.License)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: programs %v, want %v", file, got, want)
		}
	}
}

// TestLicences checks the one thing a contributor forgets first.
func TestLicences(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".c") && !strings.HasSuffix(e.Name(), ".h") {
			continue
		}
		n++
		b, err := os.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, []byte("// SPDX-License-Identifier: GPL-2.0-only\n//go:build ignore\n")) {
			t.Errorf("%s: want the SPDX line and //go:build ignore first", e.Name())
		}
	}
	if n < 5 {
		t.Fatalf("only %d C files found", n)
	}
}
