package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/NoFear0411/spliff/format"
)

// chooseSource captures real traffic if it can and generates some otherwise.
// name is the source's in file names.
func chooseSource(o options) (source, name string, fill func(*recorder, protocol, int) error) {
	if o.generate || lookNginx() == "" || !installed("h2load") {
		return "generated traffic", "made", generate
	}
	return "nginx and h2load", "nginx", capture
}

func installed(tool string) bool {
	_, err := exec.LookPath(tool)
	return err == nil
}

func lookNginx() string {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// capture has h2load ask nginx n times, through a relay that records what passes.
// A relay needs no rights and no kernel, loses nothing, and leaves what the two
// send as it is. There is no TLS between them: the bytes are those inside it.
func capture(r *recorder, p protocol, n int) error {
	dir, err := os.MkdirTemp("", "spliff-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	targets, err := writeSite(dir)
	if err != nil {
		return err
	}
	server, stop, err := startNginx(dir, p)
	if err != nil {
		return err
	}
	defer stop()
	relay, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var flows sync.WaitGroup
	go relayAll(relay, server, r, &flows)
	err = load(dir, "http://"+relay.Addr().String(), targets, p, n)
	relay.Close()
	flows.Wait()
	return err
}

func writeSite(dir string) (targets []string, err error) {
	docs, targets := site()
	items := filepath.Join(dir, "www/api/v1/items")
	if err := os.MkdirAll(items, 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o755); err != nil {
		return nil, err
	}
	for i, d := range docs {
		if err := os.WriteFile(filepath.Join(items, fmt.Sprintf("%d.json", i)), d, 0o644); err != nil {
			return nil, err
		}
	}
	return targets, nil
}

// nginxConf is one process without a master, so that it ends with one signal.
const nginxConf = `daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/error.log;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path %[1]s/tmp/b; proxy_temp_path %[1]s/tmp/p; fastcgi_temp_path %[1]s/tmp/f;
    uwsgi_temp_path %[1]s/tmp/u; scgi_temp_path %[1]s/tmp/s;
    types { application/json json; }
    keepalive_requests 100000000; keepalive_timeout 600s;
    server {
        listen %[2]s%[3]s;
        root %[1]s/www;
        %[4]s
        add_header x-request-id $request_id;
    }
}
`

// startNginx returns the address it listens on.
func startNginx(dir string, p protocol) (addr string, stop func(), err error) {
	// A port that is free now: nobody else on the machine waits for one just here.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = l.Addr().String()
	l.Close()
	var fields strings.Builder
	for _, f := range responseFields() {
		fmt.Fprintf(&fields, "add_header %s %q; ", f[0], f[1])
	}
	conf := fmt.Sprintf(nginxConf, dir, addr, [...]string{"", " http2"}[p], fields.String())
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		return "", nil, err
	}
	var said bytes.Buffer
	cmd := exec.Command(lookNginx(), "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr, stop, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return "", nil, fmt.Errorf("start nginx: %s", said.String())
}

// load runs h2load. That it speaks HTTP/2 without TLS is by prior knowledge
// (RFC 9113 §3.3).
func load(dir, base string, targets []string, p protocol, n int) error {
	var list strings.Builder
	for _, t := range targets {
		list.WriteString(base + t + "\n")
	}
	uris := filepath.Join(dir, "uris")
	if err := os.WriteFile(uris, []byte(list.String()), 0o644); err != nil {
		return err
	}
	args := []string{"-n", fmt.Sprint(n), "-c", fmt.Sprint(min(connections, n)), "-i", uris}
	if p == h1 {
		args = append(args, "--h1", "-m", "1")
	} else {
		args = append(args, "-m", fmt.Sprint(inFlight))
	}
	for _, f := range requestFields() {
		args = append(args, "-H", f[0]+": "+f[1])
	}
	out, err := exec.Command("h2load", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("h2load: %w: %s", err, out)
	}
	if want := fmt.Sprintf("status codes: %d 2xx, 0 3xx", n); !bytes.Contains(out, []byte(want)) {
		return fmt.Errorf("h2load: not %d good answers: %s", n, out)
	}
	return nil
}

// relayAll carries every connection to the server until l is closed.
func relayAll(l net.Listener, server string, r *recorder, flows *sync.WaitGroup) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", server)
		if err != nil {
			client.Close()
			continue
		}
		c := r.connect()
		flows.Go(func() { carry(up, client, c, format.DirRead) })
		flows.Go(func() { carry(client, up, c, format.DirWrite) })
	}
}

// carry records before it passes on, so that a request comes before its response.
// 16 KiB is what one TLS record holds, and so one read of a recorded program.
func carry(to, from net.Conn, c *recorded, dir format.Dir) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			c.data(dir, buf[:n])
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = errors.Join(err, werr)
			}
		}
		if err != nil {
			to.Close()
			from.Close()
			return
		}
	}
}
