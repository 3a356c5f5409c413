package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// noise makes files n0.bin … of size bytes that do not compress and hold a word
// by which they are known.
func noise(t *testing.T, root, word string, n, size int) {
	t.Helper()
	r := rand.NewChaCha8([32]byte{7})
	for i := range n {
		b := make([]byte, size)
		r.Read(b)
		copy(b, word)
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("n%d.bin", i)), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fetch is a command that gets file n0.bin to n<n-1>.bin of url.
func fetch(url string, n int) []string {
	return []string{"curl", "-sk", "--http1.1", "-o", "/dev/null", fmt.Sprintf("%s/n[0-%d].bin", url, n-1)}
}

func sessions(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "a*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestRotatedRecording: the files of a real recording are complete alone, bounded,
// and together the whole.
func TestRotatedRecording(t *testing.T) {
	needRoot(t)
	url, root := nginx(t)
	noise(t, root, "rotated", 20, 300<<10)
	dir := t.TempDir()
	must(t, spliff, append([]string{"record", "-q", "-o", filepath.Join(dir, "a.spl"), "--rotate", "2MiB", "--"}, fetch(url, 20)...)...)
	files := sessions(t, dir)
	if len(files) < 3 {
		t.Fatalf("files: %v", files)
	}
	var all []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || len(b) > 2<<20 || filepath.Ext(f) != ".spl" {
			t.Errorf("%s: %d bytes, %v", f, len(b), err)
		}
		if r := run(t, spliff, "show", f); r.code != 0 {
			t.Errorf("show %s: exit %d, %s", f, r.code, r.stderr)
		}
		all = append(all, b...)
	}
	whole := filepath.Join(dir, "whole.spl")
	if err := os.WriteFile(whole, all, 0o600); err != nil {
		t.Fatal(err)
	}
	got := show(t, whole)
	if len(got) != 20 {
		t.Errorf("%d exchanges, want 20", len(got))
	}
	for i, x := range got {
		want, err := os.ReadFile(filepath.Join(root, fmt.Sprintf("n%d.bin", i)))
		if err != nil || !bytes.Equal(x.Resp.bytes(t), want) {
			t.Errorf("exchange %d: not the body of n%d.bin, %v", x.ID, i, err)
		}
	}
}

// TestEncryptedRecording: what a real recording writes opens with the stock tools,
// and nothing on the disk can be read without the key, at no moment.
func TestEncryptedRecording(t *testing.T) {
	needRoot(t)
	need(t, "age", "age-keygen", "zstd")
	url, root := nginx(t)
	const word = "word-that-nobody-else-writes"
	noise(t, root, word, 10, 200<<10)
	dir := t.TempDir()
	key := filepath.Join(t.TempDir(), "key.txt")
	must(t, "age-keygen", "-o", key)
	to := strings.TrimSpace(must(t, "age-keygen", "-y", key))
	for _, sync := range []string{"interval", "chunk"} {
		file := filepath.Join(dir, "a-"+sync+".spl.age")
		rec := record(t, "-o", file, "--sync", sync, "--encrypt-to", to, "--ppid", strconv.Itoa(os.Getpid()))
		for range 3 {
			get := fetch(url, 10)
			must(t, get[0], get[1:]...)
			time.Sleep(300 * time.Millisecond)
			for _, f := range sessions(t, dir) {
				if b, err := os.ReadFile(f); err != nil || bytes.Contains(b, []byte(word)) || bytes.Contains(b, []byte("127.0.0.1")) {
					t.Errorf("%s holds plaintext, or %v", f, err)
				}
			}
		}
		rec.stop()
		got := show(t, file, "-i", key)
		if len(got) < 30 {
			t.Errorf("--sync %s: %d exchanges, want at least 30", sync, len(got))
		}
		out, err := exec.Command("sh", "-c", `age -d -i "$1" "$2" | zstd -dc`, "sh", key, file).Output()
		if n := bytes.Count(out, []byte(word)); err != nil || n < 30 {
			t.Errorf("--sync %s: age -d | zstd -dc: the word %d times, %v", sync, n, err)
		}
	}
}

// TestKilledRecorder: a recorder that is killed at any moment leaves a file in which
// everything is that it saw two seconds before.
func TestKilledRecorder(t *testing.T) {
	needRoot(t)
	url, root := nginx(t)
	noise(t, root, "killed", 3, 5000)
	dir := t.TempDir()
	for i := range 6 {
		file := filepath.Join(dir, fmt.Sprintf("a%d.spl", i))
		rec := record(t, "-o", file, "--ppid", strconv.Itoa(os.Getpid()))
		var done []time.Time
		end := time.Now().Add(2500*time.Millisecond + time.Duration(rand.IntN(1500))*time.Millisecond)
		for time.Now().Before(end) {
			get := fetch(url, 3)
			must(t, get[0], get[1:]...)
			done = append(done, time.Now())
			time.Sleep(20 * time.Millisecond)
		}
		rec.cmd.Process.Kill()
		killed := time.Now()
		<-rec.done
		want := 0
		for _, d := range done {
			if killed.Sub(d) > 2*time.Second {
				want += 3
			}
		}
		r := run(t, spliff, "show", file)
		if r.code != 4 || strings.Contains(r.stderr, "panic") {
			t.Errorf("exit %d: %s", r.code, r.stderr)
		}
		// curl's and nginx's side of each are exchanges of their own.
		if got := strings.Count(r.stdout, "curl/"); got < want || want == 0 {
			t.Errorf("%d exchanges of curl are there, %d were over two seconds before the end", got, want)
		}
	}
}
