package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
)

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
		{"replay", "FILE", "-b"}, {"export", "FILE", "-f", "json"}, {"export", "FILE", "-f", "events"}, {"export", "FILE", "-f", "pcapng"}} {
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
