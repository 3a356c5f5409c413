package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// traffic makes some exchanges of each kind against nginx.
func traffic(t *testing.T, url, root string) {
	t.Helper()
	for i, n := range []int{0, 5, 700, 40000} {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("v%d.txt", i)), []byte(strings.Repeat("line of text\n", n/13)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, proto := range []string{"--http1.1", "--http2"} {
		must(t, "curl", "-sk", proto, "-o", "/dev/null", url+"/v0.txt", "-o", "/dev/null", url+"/v1.txt",
			"-o", "/dev/null", url+"/v2.txt", "-o", "/dev/null", url+"/v3.txt", "-o", "/dev/null", url+"/absent")
		must(t, "curl", "-sk", proto, "-I", "-o", "/dev/null", url+"/v2.txt")
		must(t, "curl", "-sk", proto, "-o", "/dev/null", "-T", filepath.Join(root, "v3.txt"), url+"/put"+proto)
		must(t, "curl", "-sk", proto, "-o", "/dev/null", "-r", "5-20", url+"/v2.txt")
		must(t, "curl", "-sk", proto, "-Z", "--parallel-max", "8", "-o", "/dev/null", url+"/v[0-3].txt", "-o", "/dev/null", url+"/v[0-3].txt")
	}
}

// TestLiveIsReplay: what was printed live is, to the byte, what a replay prints,
// with any number of workers.
func TestLiveIsReplay(t *testing.T) {
	needRoot(t)
	url, root := nginx(t)
	for _, flags := range [][]string{{}, {"-b", "-l", "-H"}, {"-x"}, {"-c", "-l"}} {
		t.Run("flags"+strings.Join(flags, ""), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "session.spl")
			rec := record(t, append([]string{"-o", file, "--print", "-C", "--comm", "nginx", "--comm", "curl"}, flags...)...)
			traffic(t, url, root)
			rec.stop()
			live := rec.out.String()
			if strings.Count(live, "→") < 40 {
				t.Fatalf("live print has %d requests:\n%s", strings.Count(live, "→"), live)
			}
			for _, workers := range []string{"0", "1", "2", "8"} {
				got := must(t, spliff, append([]string{"replay", "-C", "-t", workers, file}, flags...)...)
				if got != live {
					t.Errorf("-t %s: %d bytes, live %d bytes; first difference: %s", workers, len(got), len(live), firstDiff(got, live))
				}
			}
		})
	}
}

func firstDiff(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(la), len(lb)) {
		if la[i] != lb[i] {
			return fmt.Sprintf("line %d: %q / %q", i+1, la[i], lb[i])
		}
	}
	return "one is longer"
}

// TestPcapng: tshark with no settings lists every exchange that show lists.
func TestPcapng(t *testing.T) {
	needRoot(t)
	need(t, "tshark")
	url, root := nginx(t)
	dir := t.TempDir()
	file, pcap := filepath.Join(dir, "session.spl"), filepath.Join(dir, "out.pcapng")
	rec := record(t, "-o", file, "--comm", "nginx", "--comm", "curl")
	traffic(t, url, root)
	rec.stop()
	must(t, spliff, "export", file, "-f", "pcapng", "-o", pcap)
	wantReq, wantResp := map[string]int{}, map[string]int{}
	for _, x := range show(t, file) {
		wantReq[x.Req.Method+" "+x.Req.Path]++
		wantResp[fmt.Sprint(x.Resp.Status)]++
	}
	gotReq, gotResp := map[string]int{}, map[string]int{}
	out := tshark(t, pcap, "http || http2", "http.request.method", "http.request.uri", "http2.headers.method", "http2.headers.path", "http.response.code", "http2.headers.status")
	for line := range strings.SplitSeq(strings.TrimRight(out, "\n"), "\n") {
		f := strings.Split(line, "\t")
		for len(f) < 6 {
			f = append(f, "")
		}
		for _, pair := range [][2]string{{f[0], f[1]}, {f[2], f[3]}} {
			methods, paths := split(pair[0]), split(pair[1])
			for i := range methods {
				gotReq[methods[i]+" "+paths[i]]++
			}
		}
		for _, s := range append(split(f[4]), split(f[5])...) {
			if !strings.HasPrefix(s, "1") { // informational responses belong to their exchange
				gotResp[s]++
			}
		}
	}
	compare(t, "request", wantReq, gotReq)
	compare(t, "response", wantResp, gotResp)
	if out := tshark(t, pcap, `frame.comment contains "Cmd: curl"`, "frame.comment"); !strings.Contains(out, "PID: ") {
		t.Errorf("no packet says its process: %q", out)
	}
}

func tshark(t *testing.T, pcap, filter string, fields ...string) string {
	t.Helper()
	args := []string{"-r", pcap, "-Y", filter, "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command("tshark", args...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	r := runCmd(t, cmd)
	if r.code != 0 {
		t.Fatalf("tshark: %s", r.stderr)
	}
	return r.stdout
}

// split cuts a field that occurs several times in one packet.
func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func compare(t *testing.T, what string, want, got map[string]int) {
	t.Helper()
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%s %q: spliff shows %d, tshark %d", what, k, n, got[k])
		}
	}
	for k, n := range got {
		if want[k] == 0 {
			t.Errorf("%s %q: tshark shows %d, spliff none", what, k, n)
		}
	}
	if len(want) == 0 {
		t.Errorf("no %s at all", what)
	}
}

// TestPipe: a session streams through a pipe and stock tools read it.
func TestPipe(t *testing.T) {
	needRoot(t)
	url, root := nginx(t)
	if err := os.WriteFile(filepath.Join(root, "f.txt"), []byte("through a pipe\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := must(t, "sh", "-c", spliff+" record -q -o - -- curl -sk -o /dev/null "+url+"/f.txt | "+spliff+" show -")
	if f := strings.Split(out, "\t"); len(f) < 5 || f[3] != "GET" || f[4] != "200" {
		t.Errorf("show - printed %q", out)
	}
	need(t, "zstd")
	file := filepath.Join(t.TempDir(), "session.spl")
	must(t, spliff, "record", "-q", "-o", file, "--", "curl", "-sk", "-o", "/dev/null", url+"/f.txt")
	if log := must(t, "zstd", "-dc", file); !strings.Contains(log, "through a pipe") {
		t.Error("zstd -dc does not give the event log")
	}
}

// TestKilled: kill -9 leaves a session that can be read, and nothing in the kernel.
func TestKilled(t *testing.T) {
	needRoot(t)
	need(t, "bpftool")
	url, root := nginx(t)
	if err := os.WriteFile(filepath.Join(root, "f.txt"), []byte("before the end\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := strings.Count(must(t, "bpftool", "-j", "link", "list"), `"id"`)
	file := filepath.Join(t.TempDir(), "session.spl")
	rec := record(t, "-o", file, "--comm", "curl")
	must(t, "curl", "-sk", "-o", "/dev/null", url+"/f.txt")
	time.Sleep(2500 * time.Millisecond) // the chunk is closed after a second
	rec.cmd.Process.Signal(syscall.SIGKILL)
	<-rec.done
	r := run(t, spliff, "show", file)
	if r.code != 4 || !strings.Contains(r.stdout, "\t200\t") || r.stderr == "" {
		t.Errorf("show: exit %d, want 4 with the exchange shown and the loss said\n%s%s", r.code, r.stdout, r.stderr)
	}
	after := before + 1
	for range 50 { // the kernel frees links behind the process's end
		if after = strings.Count(must(t, "bpftool", "-j", "link", "list"), `"id"`); after <= before {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if after > before {
		t.Errorf("%d links before, %d after", before, after)
	}
}

// TestBadInput: one line, what to do, the right exit code, nothing left attached.
func TestBadInput(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	there := filepath.Join(dir, "there.spl")
	if err := os.WriteFile(there, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		uid  uint32
		code int
		text string
	}{
		{"not root", []string{"record", "-o", "/dev/null/x"}, 65534, 3, "/dev/null/x"},
		{"not root, printing", []string{"record"}, 65534, 3, "root"},
		{"no such process", []string{"record", "-p", "4194303"}, 0, 3, "4194303"},
		{"no such command", []string{"record", "--", "/nonexistent/command"}, 0, 3, "/nonexistent/command"},
		{"unwritable", []string{"record", "-o", "/proc/x.spl"}, 0, 3, "/proc/x.spl"},
		{"existing", []string{"record", "-o", there}, 0, 3, "exists"},
		{"bad flag", []string{"record", "--bogus"}, 0, 2, "--bogus"},
		{"bad pid", []string{"record", "-p", "curl"}, 0, 2, "curl"},
		{"no session", []string{"show", "/etc/passwd"}, 0, 3, "not a spliff session"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(spliff, tt.args...)
			if tt.uid != 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: tt.uid, Gid: tt.uid}}
			}
			r := runCmd(t, cmd)
			if r.code != tt.code || !strings.Contains(r.stderr, tt.text) || strings.Count(r.stderr, "\n") != 1 || r.stdout != "" {
				t.Errorf("exit %d, stdout %q, stderr %q; want %d and one line with %q", r.code, r.stdout, r.stderr, tt.code, tt.text)
			}
		})
	}
	if b, err := os.ReadFile(there); err != nil || string(b) != "precious" {
		t.Errorf("the existing file was touched: %q %v", b, err)
	}
}
