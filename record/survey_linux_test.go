package record

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// holder starts a Python that has the shared OpenSSL mapped, until the test ends.
func holder(t *testing.T) uint32 {
	t.Helper()
	p := talking(t, python(t), "-c", "import ssl; print('done', flush=True); input()")
	if err := p.done(); err != nil {
		t.Fatal(err)
	}
	return p.pid()
}

// TestSurvey: a library and its user are found, with places for probes and without
// a probe; of a process by number, only what it has mapped.
func TestSurvey(t *testing.T) {
	pid := holder(t)
	for _, pids := range [][]uint32{nil, {pid}} {
		inv, err := Survey(context.Background(), pids, nil)
		if err != nil {
			t.Fatal(err)
		}
		users := 0
		for _, f := range inv.Found {
			if len(pids) > 0 && len(f.Processes) == 0 {
				t.Errorf("%s is not mapped by %d", f.Path, pid)
			}
			if !slices.ContainsFunc(f.Processes, func(p Process) bool { return p.PID == pid && p.Comm == "python3" }) {
				continue
			}
			if f.Library == "openssl" {
				users++
			}
			if f.Problem == "" && len(f.Sites) < 4 {
				t.Errorf("%s: sites %v", f.Path, f.Sites)
			}
		}
		if users != 1 {
			t.Errorf("pids %v: %d OpenSSL libraries used by %d, want 1 of %+v", pids, users, pid, inv.Found)
		}
	}
	if _, err := Survey(context.Background(), []uint32{4194303}, nil); !errors.Is(err, ErrNoProcess) {
		t.Errorf("got %v, want no such process", err)
	}
}
