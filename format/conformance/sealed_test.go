package conformance

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Encrypted files are sealed with age to the key in identity.txt, which is for
// these files alone: FORMAT.md section 13.
const (
	identity  = dir + "/identity.txt"
	recipient = dir + "/recipient.txt"
	sealedExt = ".spl.age"
)

func sealedCases() []testCase {
	forms := []variant{{sealed: true}, {footer: true, seek: true, sealed: true}}
	return []testCase{
		{"conversation", "encrypted with age", forms, func(v variant) outcome { return whole(talk(v)) }},
		{"two-sections", "cat a.spl b.spl, then encrypted with age", forms, func(v variant) outcome { return whole(talk(v), otherSession(v)) }},
		{"flipped-chunk", "a bit flipped in the second chunk before it was encrypted", forms, flip("chunk", 1, 160)},
	}
}

// age runs the age command over b.
func age(b []byte, args ...string) ([]byte, error) {
	cmd := exec.Command("age", args...)
	cmd.Stdin = bytes.NewReader(b)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run age: %w: %s", err, stderr.String())
	}
	return out, nil
}

func unseal(b []byte) ([]byte, error) { return age(b, "-d", "-i", identity) }

// writeSealed encrypts b into a file, unless that already holds b: each time the
// bytes would be others.
func writeSealed(file string, b []byte) error {
	if old, err := os.ReadFile(file); err == nil {
		if is, err := unseal(old); err == nil && bytes.Equal(is, b) {
			return nil
		}
	}
	out, err := age(b, "-R", recipient)
	if err != nil {
		return err
	}
	return os.WriteFile(file, out, 0o644)
}

// Encrypted files, decrypted by the stock tool, are read like any other.
func TestSealed(t *testing.T) {
	if _, err := exec.LookPath("age"); err != nil {
		t.Skip("skipped: encrypted files need age, which is not installed")
	}
	for _, name := range listed(t, dir, sealedExt) {
		b, err := os.ReadFile(path(name, sealedExt))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := unseal(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := drainFrom(plain)
		if diff := compare(load(t, path(name, ".json")), got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// The second reader decrypts them itself.
func TestPythonSealed(t *testing.T) {
	havePython(t)
	if _, err := exec.LookPath("age"); err != nil {
		t.Skip("skipped: encrypted files need age, which is not installed")
	}
	names := listed(t, dir, sealedExt)
	lines := readPython(t, []string{"-i", "identity.txt"}, dir, names, sealedExt)
	for _, name := range names {
		if diff := compare(load(t, path(name, ".json")), fromLines(t, lines[name])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
