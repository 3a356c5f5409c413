package e2e

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// guest is the first program of the virtual machine: a script.
//
//go:embed testdata/guest.sh
var guest []byte

// kernelImages is where .ci/kernels keeps them.
const kernelImages = "/usr/local/lib/spliff-kernels"

// TestOlderKernels: what newer kernels have is done without on the kernels that lack it
// themselves, not by --without alone: their verifiers refuse what newer ones accept. A
// client with OpenSSL and a server in Go are recorded under Debian's kernels, in a
// virtual machine, both to the byte.
func TestOlderKernels(t *testing.T) {
	needRoot(t)
	need(t, "qemu-system-x86_64", "busybox", "cpio", "openssl", "go", "curl")
	dir := t.TempDir()
	certificate(t, dir)
	server, _ := buildGo(t, dir, "go")
	var wants []want
	root := filepath.Join(dir, "root")
	for _, d := range []string{"bin", "up"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range []int{700, 100_000} {
		up := content(n, byte(i))
		down := slices.Clone(up)
		slices.Reverse(down)
		wants = append(wants, want{"POST", fmt.Sprintf("/1/up%d", n), sum(up), sum(down)})
		if err := os.WriteFile(filepath.Join(root, "up", fmt.Sprintf("up%d", n)), up, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "init"), guest, 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, "cp", "-L", busybox, filepath.Join(root, "bin", "busybox"))
	must(t, "cp", server, filepath.Join(root, "bin", "go-server"))
	must(t, "cp", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), root)
	// Static: the other build may need the race detector's libraries.
	static := exec.Command("go", "build", "-o", filepath.Join(root, "bin", "spliff"), "..")
	static.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := static.CombinedOutput(); err != nil {
		t.Fatalf("build spliff: %v: %s", err, b)
	}
	copyProgram(t, root, "curl")
	initrd := filepath.Join(dir, "initrd")
	must(t, "sh", "-c", fmt.Sprintf("cd %s && find . | cpio -o -H newc --quiet | gzip -1 > %s", root, initrd))

	for version, lacks := range map[string]string{"6.1": "sock-length", "6.12": "uprobe-session"} {
		t.Run(version, func(t *testing.T) {
			image := filepath.Join(kernelImages, "vmlinuz-"+version)
			if _, err := os.Stat(image); err != nil {
				t.Skipf("SKIP: there is no kernel %s (run .ci/setup)", version)
			}
			said := boot(t, image, initrd)
			_, session, ok := bytes.Cut(said, []byte("-----BEGIN SESSION-----"))
			session, _, ended := bytes.Cut(session, []byte("-----END SESSION-----"))
			if !ok || !ended {
				t.Fatalf("no session comes from the machine: %s", said)
			}
			blanks := regexp.MustCompile(`\s`)
			b, err := base64.StdEncoding.DecodeString(string(blanks.ReplaceAll(session, nil)))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "session.spl")
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
			checkBothSides(t, file, "curl", "go-server", wants)
			for _, w := range []string{"on Linux " + version + ".", "without " + lacks, "lost nothing"} {
				if !strings.Contains(string(said), w) {
					t.Errorf("record does not say %q: %s", w, said[max(0, len(said)-2000):])
				}
			}
		})
	}
}

// copyProgram copies a program with the libraries that it needs to below root.
func copyProgram(t *testing.T, root, name string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	must(t, "cp", "-L", path, filepath.Join(root, "bin", name))
	for _, lib := range regexp.MustCompile(`/\S+`).FindAllString(must(t, "ldd", path), -1) {
		must(t, "mkdir", "-p", filepath.Join(root, filepath.Dir(lib)))
		must(t, "cp", "-L", lib, filepath.Join(root, lib))
	}
}

// boot runs a kernel until it powers off and returns what came over its serial line. The
// processor is emulated: not everywhere where there is a /dev/kvm it can be used.
func boot(t *testing.T, image, initrd string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "1024", "-smp", "2",
		"-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio", "-kernel", image, "-initrd", initrd,
		"-append", "console=ttyS0 quiet panic=-1 mitigations=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("qemu: %v: %s", err, out[max(0, len(out)-2000):])
	}
	return out
}
