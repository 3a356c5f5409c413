package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/NoFear0411/spliff/format"
)

// canary stands in every payload of a bulky session.
const canary = "the-bird-in-the-mine"

// bulky is a session of n exchanges with bodies of 20 KiB that hardly compress.
func bulky(t testing.TB, n int) []byte {
	f := newFixture(t)
	f.conn("http/1.1")
	r := rand.New(rand.NewPCG(4, 2))
	for i := range n {
		body := make([]byte, 20<<10)
		for j := range body {
			body[j] = byte(r.Uint32())
		}
		copy(body, canary)
		f.exchange(fmt.Sprintf("GET /%d/%s HTTP/1.1\r\nHost: shop.example\r\n\r\n", i, canary),
			fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	}
	f.endConn()
	return f.bytes(true)
}

// newBulky returns an environment whose recorder plays a bulky session, each event
// in a chunk of its own, as if a second passed between them.
func newBulky(t *testing.T, n int) (*testEnv, *fakeRecorder) {
	te, rec := newTestEnv(), newFakeRecorder(t)
	var now atomic.Int64
	te.now = func() time.Time { return time.Unix(0, now.Add(int64(500*time.Millisecond))) }
	rec.file = bulky(t, n)
	rec.use(te)
	return te, rec
}

// ageKey writes a new identity to a file and returns its name and recipient.
func ageKey(t testing.TB, dir string) (file, recipient string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "key.txt")
	if err := os.WriteFile(file, []byte("# a key\n"+id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, id.Recipient().String()
}

// glob returns the names in dir that match, without the folder.
func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	return names
}

// TestRecordRotates: the files of a rotated session are bounded, each is shown
// alone, and together they are the session that one file would have been.
func TestRecordRotates(t *testing.T) {
	dir := t.TempDir()
	te, _ := newBulky(t, 12)
	whole := filepath.Join(dir, "whole.spl")
	if code := te.run("record", "-o", whole); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	te.run("show", whole)
	want := te.out.String()
	if code := te.run("record", "-o", filepath.Join(dir, "a.spl"), "--rotate", "100KiB"); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	files := glob(t, dir, "a*")
	if len(files) < 3 || files[0] != "a-000000.spl" || !strings.Contains(te.err.String(), fmt.Sprintf("in %d files from ", len(files))) {
		t.Errorf("files %v, said %q", files, te.err.String())
	}
	var joined []byte
	for _, name := range files {
		b := readFile(t, filepath.Join(dir, name))
		if len(b) > 100<<10 {
			t.Errorf("%s has %d bytes", name, len(b))
		}
		joined = append(joined, b...)
		if code := te.run("show", filepath.Join(dir, name)); code != exitOK {
			t.Errorf("show %s: exit %d, %s", name, code, te.err.String())
		}
	}
	te.stdin = bytes.NewReader(joined)
	if code := te.run("show", "-"); code != exitOK || te.out.String() != want {
		t.Errorf("all files: exit %d, %s\n%s\nwant\n%s", code, te.err.String(), te.out.String(), want)
	}

	// A second recording does not mix with the first.
	if code := te.run("record", "-o", filepath.Join(dir, "a.spl"), "--rotate", "1h"); code != exitRuntime || !strings.Contains(te.err.String(), "--force") {
		t.Errorf("again: exit %d, %s", code, te.err.String())
	}
}

func TestRecordKeeps(t *testing.T) {
	dir := t.TempDir()
	te, _ := newBulky(t, 12)
	other := filepath.Join(dir, "a-00.spl")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := te.run("record", "-o", filepath.Join(dir, "a.spl"), "--rotate", "64KiB", "--rotate", "1h", "--keep", "2"); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	files := glob(t, dir, "*")
	if len(files) != 3 || files[0] != "a-00.spl" {
		t.Errorf("left: %v", files)
	}
	last := filepath.Join(dir, files[len(files)-1])
	all := events(t, readFile(t, last))
	if end, err := format.ParseEnd(all[len(all)-1].Payload); err != nil || end.Reason != "command exited" || end.Next != 0 {
		t.Errorf("the last file ends with %+v, %v", end, err)
	}
}

// TestRecordMaxSize: reaching the size ends the recording in order.
func TestRecordMaxSize(t *testing.T) {
	te, rec := newBulky(t, 200)
	rec.each = func() { time.Sleep(time.Millisecond) } // the writer has time to write
	file := filepath.Join(t.TempDir(), "a.spl")
	if code := te.run("record", "-o", file, "--max-size", "300k"); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	all := events(t, readFile(t, file))
	end, err := format.ParseEnd(all[len(all)-1].Payload)
	if err != nil || end.Reason != "size limit" || len(all) > 350 {
		t.Errorf("%d events, END %+v, %v", len(all), end, err)
	}
}

// TestRecordAppends: one more section, and nothing where that would do harm.
func TestRecordAppends(t *testing.T) {
	dir := t.TempDir()
	te, rec := newTestEnv(), newFakeRecorder(t)
	rec.use(te)
	file := filepath.Join(dir, "a.spl")
	if code := te.run("record", "-o", file); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	first := readFile(t, file)
	if code := te.run("record", "-o", file, "--append"); code != exitOK {
		t.Fatalf("--append: exit %d: %s", code, te.err.String())
	}
	if code := te.run("show", file); code != exitOK || strings.Count(te.out.String(), "\n") != 6 {
		t.Errorf("show: exit %d, %s, %s", code, te.out.String(), te.err.String())
	}
	both := readFile(t, file)
	if !bytes.HasPrefix(both, first) {
		t.Error("what was there changed")
	}

	refused := []struct {
		name string
		data []byte
		want string
	}{
		{"text.spl", []byte("a letter"), "not a spliff session"},
		{"empty.spl", nil, "not a spliff session"},
		{"cut.spl", first[:len(first)/2], "the session is damaged, nothing is added to it"},
		{"struck.spl", append([]byte{0}, first...), "the session is damaged"},
	}
	for _, tt := range refused {
		name := filepath.Join(dir, tt.name)
		if err := os.WriteFile(name, tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if code := te.run("record", "-o", name, "--append"); code != exitRuntime || !strings.Contains(te.err.String(), tt.want) {
			t.Errorf("%s: exit %d, %s, want %q", tt.name, code, te.err.String(), tt.want)
		}
		if !bytes.Equal(readFile(t, name), tt.data) {
			t.Errorf("%s changed", tt.name)
		}
	}
	if code := te.run("record", "-o", filepath.Join(dir, "no.spl"), "--append"); code != exitRuntime || len(glob(t, dir, "no*")) > 0 {
		t.Errorf("append to nothing: exit %d, %s", code, te.err.String())
	}
}

// TestNoPlaintext: while an encrypted session is recorded, and after it, no file of
// its folder holds a byte of what was recorded; and with the key all of it is there.
func TestNoPlaintext(t *testing.T) {
	for _, flags := range [][]string{nil, {"--rotate", "100KiB"}, {"--sync", "chunk"}, {"--rotate", "200KiB", "--keep", "1", "--sync", "chunk"}, {"--sync", "none", "--force"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			dir, keys := t.TempDir(), t.TempDir()
			key, to := ageKey(t, keys)
			te, rec := newBulky(t, 12)
			seen := 0
			look := func() {
				// Parts of it too: a compressor may have cut the canary.
				for _, name := range glob(t, dir, "*") {
					b, _ := os.ReadFile(filepath.Join(dir, name)) // it may be renamed meanwhile
					for _, secret := range []string{canary, canary[:10], canary[10:], "shop.example", "curl", "S*M\x18"} {
						if bytes.Contains(b, []byte(secret)) {
							t.Fatalf("%s holds %q", name, secret)
						}
					}
					seen += len(b)
				}
			}
			rec.each = look
			args := append([]string{"record", "-o", filepath.Join(dir, "a.spl.age"), "--encrypt-to", to}, flags...)
			if code := te.run(args...); code != exitOK {
				t.Fatalf("exit %d: %s", code, te.err.String())
			}
			look()
			if seen == 0 {
				t.Error("nothing was looked at")
			}
			if slices.Contains(flags, "--keep") {
				return
			}
			n := 0
			for _, name := range glob(t, dir, "*.age") {
				if code := te.run("show", "-i", key, filepath.Join(dir, name), "--json"); code != exitOK {
					t.Fatalf("show %s: exit %d, %s", name, code, te.err.String())
				}
				n += strings.Count(te.out.String(), "\n")
			}
			if n != 12 && !slices.Contains(flags, "--rotate") {
				t.Errorf("%d exchanges, want 12", n)
			}
		})
	}
}

// encrypted records the shop session into a file and returns it with its key.
func encrypted(t *testing.T, dir string) (te *testEnv, file, key string) {
	t.Helper()
	te, rec := newTestEnv(), newFakeRecorder(t)
	rec.use(te)
	key, to := ageKey(t, dir)
	file = filepath.Join(dir, "a.spl.age")
	if code := te.run("record", "-o", file, "--encrypt-to", to); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	if want := "next: spliff show " + file + " -i KEYFILE\n"; !strings.HasSuffix(te.err.String(), want) {
		t.Errorf("said %q", te.err.String())
	}
	return te, file, key
}

// TestEveryReaderDecrypts: with the key an encrypted session is to every reading
// command what the plain one is, from a file and from a pipe.
func TestEveryReaderDecrypts(t *testing.T) {
	dir := t.TempDir()
	te, file, key := encrypted(t, dir)
	plain := filepath.Join(dir, "p.spl")
	if code := te.run("record", "-o", plain); code != exitOK {
		t.Fatal(te.err.String())
	}
	sealedFile := readFile(t, file)
	for _, args := range [][]string{{"show", "FILE"}, {"show", "FILE", "2"}, {"show", "FILE", "1", "--extract", "response"},
		{"replay", "FILE", "-b"}, {"export", "FILE", "-f", "json"}, {"export", "FILE", "-f", "pcapng"}} {
		with := func(name string) []string {
			a := slices.Clone(args)
			a[1] = name
			return a
		}
		if code := te.run(with(plain)...); code != exitOK {
			t.Fatalf("%v: exit %d, %s", args, code, te.err.String())
		}
		want := te.out.String()
		if code := te.run(append(with(file), "-i", key)...); code != exitOK || te.out.String() != want {
			t.Errorf("%v: exit %d, %s", args, code, te.err.String())
		}
		te.stdin = bytes.NewReader(sealedFile)
		if code := te.run(append(with("-"), "--identity", key)...); code != exitOK || te.out.String() != want {
			t.Errorf("%v from a pipe: exit %d, %s", args, code, te.err.String())
		}
	}
}

func TestIdentities(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	te, file, key := encrypted(t, dir)
	wrong, _ := ageKey(t, other)
	bad := filepath.Join(dir, "bad.txt")
	if err := os.WriteFile(bad, []byte("# mine\nsecret words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(dir, "p.spl")
	if err := os.WriteFile(plain, session(t, "shop"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"none", []string{file}, exitRuntime, "encrypted with age (give the identity with -i FILE)"},
		{"wrong", []string{file, "-i", wrong}, exitRuntime, "none of the identities given opens it (it is for keys of type X25519) (give another identity with -i FILE)"},
		{"one of two", []string{file, "-i", wrong, "-i", key}, exitOK, ""},
		{"missing", []string{file, "-i", filepath.Join(dir, "no")}, exitRuntime, "no such file"},
		{"bad", []string{file, "-i", bad}, exitRuntime, "bad.txt: line 2: not a secret key"},
		{"not needed", []string{plain, "-i", key}, exitOK, ""},
	}
	for _, tt := range tests {
		code := te.run(append([]string{"show"}, tt.args...)...)
		if code != tt.code || !strings.Contains(te.err.String(), tt.want) || strings.Contains(te.err.String(), "secret words") {
			t.Errorf("%s: exit %d, %s; want %d, %q", tt.name, code, te.err.String(), tt.code, tt.want)
		}
	}
	te.stdin = bytes.NewReader(readFile(t, file))
	if code := te.run("show", "-"); code != exitRuntime || !strings.Contains(te.err.String(), "open standard input: encrypted with age (give") {
		t.Errorf("pipe without key: exit %d, %s", code, te.err.String())
	}
}

// TestCutEncrypted: of an encrypted session that is cut or struck, everything that
// authenticates is shown, exit code 4 says that it is not all, and why.
func TestCutEncrypted(t *testing.T) {
	dir := t.TempDir()
	te, _ := newBulky(t, 12)
	key, to := ageKey(t, dir)
	file := filepath.Join(dir, "a.spl.age")
	if code := te.run("record", "-o", file, "--encrypt-to", to); code != exitOK {
		t.Fatal(te.err.String())
	}
	whole := readFile(t, file)
	struck := bytes.Clone(whole)
	struck[100<<10] ^= 1
	tests := []struct {
		name     string
		data     []byte
		from, to int // exchanges shown
		want     string
	}{
		{"cut in the last block", whole[:len(whole)-5], 8, 12, "not authenticated to the end"},
		{"cut in the middle", whole[:140<<10], 4, 8, "not authenticated to the end"},
		{"nearly all cut", whole[:2000], 0, 0, "not authenticated to the end"},
		{"struck", struck, 6, 11, "65552 bytes from byte "},
	}
	for _, tt := range tests {
		if err := os.WriteFile(file, tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, pipe := range []bool{false, true} {
			name := file
			if pipe {
				name, te.stdin = "-", bytes.NewReader(tt.data)
			}
			code := te.run("show", name, "-i", key)
			n := strings.Count(te.out.String(), "GET")
			if tt.to == 0 && code == exitRuntime {
				continue // not a block is whole: there is no session to show
			}
			if code != exitDamaged || n < tt.from || n > tt.to || !strings.Contains(te.err.String(), tt.want) {
				t.Errorf("%s, pipe %v: exit %d, %d exchanges, %s", tt.name, pipe, code, n, te.err.String())
			}
		}
	}
}

// TestEncryptedStream: a session that goes through a pipe is encrypted too.
func TestEncryptedStream(t *testing.T) {
	te, rec := newTestEnv(), newFakeRecorder(t)
	rec.use(te)
	dir := t.TempDir()
	key, to := ageKey(t, dir)
	list := filepath.Join(dir, "team.txt")
	if err := os.WriteFile(list, []byte("# all of us\n"+to+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := te.run("record", "-o", "-", "--recipients-file", list); code != exitOK {
		t.Fatalf("exit %d: %s", code, te.err.String())
	}
	te.stdin = bytes.NewReader(bytes.Clone(te.out.Bytes()))
	if code := te.run("show", "-", "-i", key); code != exitOK || strings.Count(te.out.String(), "\n") != 3 {
		t.Errorf("show: exit %d, %s, %s", code, te.out.String(), te.err.String())
	}
}

// TestAgeCommand: the stock tools open what we write, and we what they write.
func TestAgeCommand(t *testing.T) {
	for _, tool := range []string{"age", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIP: %s is not installed (run .ci/setup)", tool)
		}
	}
	dir := t.TempDir()
	key, to := ageKey(t, dir)
	te, rec := newBulky(t, 5)
	for i, flags := range [][]string{nil, {"--sync", "chunk"}} {
		file := filepath.Join(dir, fmt.Sprintf("a%d.spl.age", i))
		if code := te.run(append([]string{"record", "-o", file, "--encrypt-to", to}, flags...)...); code != exitOK {
			t.Fatalf("exit %d: %s", code, te.err.String())
		}
		out, err := exec.Command("sh", "-c", `age -d -i "$1" "$2" | zstd -dc`, "sh", key, file).Output()
		if err != nil || bytes.Count(out, []byte(canary)) != 10 {
			t.Errorf("age -d | zstd -dc: %d of 10 canaries, %v", bytes.Count(out, []byte(canary)), err)
		}
	}
	theirs := filepath.Join(dir, "theirs.age")
	cmd := exec.Command("age", "-r", to, "-o", theirs)
	cmd.Stdin = bytes.NewReader(rec.file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("age: %v: %s", err, out)
	}
	if code := te.run("show", theirs, "-i", key); code != exitOK || strings.Count(te.out.String(), "\n") != 5 {
		t.Errorf("show: exit %d, %s, %s", code, te.out.String(), te.err.String())
	}
}

func TestRotateValue(t *testing.T) {
	tests := []struct {
		in   []string
		want string
		err  string
	}{
		{[]string{"100MiB"}, "100MiB", ""},
		{[]string{"1h"}, "1h0m0s", ""},
		{[]string{"5m"}, "5m0s", ""},
		{[]string{"5M"}, "5MiB", ""},
		{[]string{"1g", "1h30m"}, "1GiB 1h30m0s", ""},
		{[]string{"1000000000001"}, "1000000000001", ""},
		{[]string{"10ms"}, "", "too short"},
		{[]string{"-5m"}, "", "too short"},
		{[]string{"10k"}, "", "too small"},
		{[]string{"0"}, "", "too small"},
		{[]string{"daily"}, "", "neither a size nor a duration"},
		{[]string{"1e300"}, "", "neither"},
	}
	for _, tt := range tests {
		var v rotateValue
		var err error
		for _, s := range tt.in {
			if err = v.Set(s); err != nil {
				break
			}
		}
		if tt.err == "" && (err != nil || v.String() != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%v: %q, %v; want %q, %q", tt.in, v.String(), err, tt.want, tt.err)
		}
	}
}
