//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a program that serves the files, on loopback.
type server struct {
	cmd    *exec.Cmd
	dir    string
	url    string
	worker int // the process that serves, which is recorded
}

// program is a server that can be had.
type program struct {
	start func(dir string) (*server, error)
	srv   *server // nil until a load needs it
}

// running starts the program in dir, unless it runs.
func (p *program) running(dir string) (srv *server, err error) {
	if p.srv == nil {
		p.srv, err = p.start(dir)
	}
	return p.srv, err
}

func (p *program) stop() {
	if p.srv != nil {
		p.srv.stop()
	}
}

// writeFiles makes what every server in dir serves, which nginx's worker must be able
// to read: f.txt, of 700 bytes, and bulk, of that many bytes no compressor can do
// anything with; and a certificate.
func writeFiles(dir string, bulk int64) error {
	root := filepath.Join(dir, "root")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(root, 0o755), os.Mkdir(filepath.Join(dir, "tmp"), 0o777)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "f.txt"), []byte(strings.Repeat("a", 700)), 0o644); err != nil {
		return err
	}
	if err := writeRandom(filepath.Join(root, "bulk"), bulk); err != nil {
		return err
	}
	cert := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
		"-keyout", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "cert.pem"), "-subj", "/CN=localhost")
	if out, err := cert.CombinedOutput(); err != nil {
		return fmt.Errorf("openssl: %w: %s", err, out)
	}
	return nil
}

const config = `
worker_processes 1; daemon off; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000; gzip off; sendfile on; default_type text/plain;
  client_body_temp_path %[1]s/tmp;
  server {
    listen 127.0.0.1:%[2]d ssl http2; ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem;
    root %[1]s/root;
  }
}
`

// startNginx runs an nginx with one worker.
func startNginx(dir string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, config, dir, port), 0o644); err != nil {
		return nil, err
	}
	s := &server{dir: dir, url: fmt.Sprintf("https://127.0.0.1:%d", port),
		cmd: exec.Command("nginx", "-c", conf, "-e", filepath.Join(dir, "error.log"))}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		time.Sleep(50 * time.Millisecond)
		if s.worker = childOf(s.cmd.Process.Pid); s.worker != 0 {
			return s, nil
		}
	}
	s.stop()
	return nil, fmt.Errorf("nginx has no worker; see %s", filepath.Join(dir, "error.log"))
}

// startGo builds and runs goserver, as programs are shipped. It has one processor, as
// nginx has one worker: with all of them it would be measured against its own client.
func startGo(dir string) (*server, error) {
	tool := os.Getenv("GO")
	if tool == "" {
		tool = "go"
	}
	bin := filepath.Join(dir, "goserver")
	build := exec.Command(tool, "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, "github.com/NoFear0411/spliff/record/bench/goserver")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build goserver: %w: %s", err, out)
	}
	cmd := exec.Command(bin, "-root", filepath.Join(dir, "root"), "-cert", filepath.Join(dir, "cert.pem"), "-key", filepath.Join(dir, "key.pem"))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, dir: dir, worker: cmd.Process.Pid}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("goserver says nothing: %w", err)
	}
	s.url = strings.TrimSpace(line)
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	_ = s.cmd.Wait()
}

// writeRandom writes n random bytes: one random MiB, each copy of it scrambled
// differently, because a gigabyte of the kernel's random bytes takes seconds.
func writeRandom(name string, n int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	_, _ = rand.Read(block) // never fails
	for left := n; left > 0; left -= int64(len(block)) {
		if _, err := f.Write(block[:min(left, int64(len(block)))]); err != nil {
			return errors.Join(err, f.Close())
		}
		x := uint64(left)*0x9e3779b97f4a7c15 | 1
		for i := 0; i+8 <= len(block); i += 8 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			for j := range 8 {
				block[i+j] ^= byte(x >> (8 * j))
			}
		}
	}
	return f.Close()
}

// childOf returns a child of a process, 0 if it has none.
func childOf(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), " ")
	child, _ := strconv.Atoi(first)
	return child
}

// cpuSeconds is the user and system time of a process (proc(5), fields 14 and 15,
// in ticks of 10 ms).
func cpuSeconds(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("stat of %d: %q", pid, stat)
	}
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	return float64(user+system) / 100, errors.Join(err1, err2)
}
