package record

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestCalled: a process is called as itself and as each of its threads.
func TestCalled(t *testing.T) {
	dir := t.TempDir()
	for thread, comm := range map[int]string{7: "node\n", 9: "Worker-A\n"} {
		task := filepath.Join(dir, "7", "task", fmt.Sprint(thread))
		if err := os.MkdirAll(task, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(task, "comm"), []byte(comm), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		pid   uint32
		names []string
		want  bool
	}{
		{7, []string{"node"}, true}, {7, []string{"nginx", "NOD"}, true}, {7, []string{"worker"}, true},
		{7, []string{"nginx"}, false}, {7, []string{"*"}, false}, {8, []string{"node"}, false},
	} {
		if got := procFS(dir).called(tt.pid, tt.names); got != tt.want {
			t.Errorf("%d called %q: %v", tt.pid, tt.names, got)
		}
	}
}
