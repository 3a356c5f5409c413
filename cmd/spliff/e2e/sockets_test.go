package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestMemoryServers: connections of servers that read and write on their sockets
// outside of their library are told with the sockets that their clients know them by,
// and with the names that these asked for.
func TestMemoryServers(t *testing.T) {
	needRoot(t)
	need(t, "openssl")
	for _, server := range []struct {
		name  string
		pipes bool // it takes a request before the one before is answered; Node 20 resets the connection
		start func(t *testing.T, dir string) (port int, which []string)
	}{
		{"bun", true, func(t *testing.T, dir string) (int, []string) {
			return bunServer(t, dir), []string{"--comm", "bun-server"}
		}},
		{"node", false, func(t *testing.T, dir string) (int, []string) {
			need(t, "node")
			return scriptServer(t, dir, "node", "server.js", nodeServing)
		}},
		{"asyncio", true, func(t *testing.T, dir string) (int, []string) {
			return scriptServer(t, dir, python(t), "server.py", asyncServer)
		}},
	} {
		t.Run(server.name, func(t *testing.T) {
			dir := t.TempDir()
			certificate(t, dir)
			port, which := server.start(t, dir)
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				t.Run(tls.VersionName(version), func(t *testing.T) { visitFromMany(t, dir, port, which, version, server.pipes) })
			}
		})
	}
}

// scriptServer starts a server that a script makes, and returns how to name it.
func scriptServer(t *testing.T, dir, program, name, text string) (port int, which []string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	port = freePort(t)
	server := start(t, program, path, dir, fmt.Sprint(port))
	waitPort(t, port)
	return port, []string{"-p", fmt.Sprint(server.Process.Pid)}
}

// visitFromMany records a server while many clients are at it at once, of which half
// send all their requests before they read, if it pipes, and half read so slowly that its sockets
// are full.
func visitFromMany(t *testing.T, dir string, port int, which []string, version uint16, pipes bool) {
	const many = 24
	file := filepath.Join(dir, fmt.Sprintf("%x.spl", version))
	// All of it fits into the ring, whatever runs beside.
	rec := record(t, append(which, "-o", file, "--ring", "128MiB")...)
	var clients sync.WaitGroup
	for i := range many {
		clients.Go(func() {
			if err := namePorts(port, version, pipes && i&1 != 0, i&2 != 0); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	t.Log(rec.stop())
	n := 0
	for _, x := range show(t, file) {
		if x.Req == nil {
			t.Errorf("exchange %d has no request", x.ID)
			continue
		}
		n++
		var from, size int
		fmt.Sscanf(x.Req.Path, "/%d/%d", &from, &size)
		src, dst, name := fmt.Sprintf("127.0.0.1:%d", from), fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("from-%d.example", from)
		if x.Net.Role != "server" || x.Net.Src != src || x.Net.Dst != dst || x.TLS.Version != tls.VersionName(version) || x.TLS.Cipher == "" || x.TLS.SNI != name {
			t.Errorf("%s: %+v %+v", x.Req.Path, x.Net, x.TLS)
		}
	}
	if n != many*len(bunSizes) {
		t.Errorf("%d exchanges, want %d", n, many*len(bunSizes))
	}
}

// cutConn sends the first bytes, a client's hello, in two pieces.
type cutConn struct {
	net.Conn
	at int
}

func (c *cutConn) Write(b []byte) (n int, err error) {
	if c.at > 0 && c.at < len(b) {
		n, err = c.Conn.Write(b[:c.at])
		if err != nil {
			return n, err
		}
		time.Sleep(10 * time.Millisecond) // or the server reads both at once
		b = b[n:]
	}
	c.at = 0
	more, err := c.Conn.Write(b)
	return n + more, err
}

// namePorts is a client whose requests, and the server name that it asks for, name the
// port that they come from.
func namePorts(port int, version uint16, pipelined, slow bool) error {
	raw, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	if slow {
		raw.(*net.TCPConn).SetReadBuffer(64 << 10)
	}
	from := raw.LocalAddr().(*net.TCPAddr).Port
	conn := &cutConn{Conn: raw}
	if from%3 == 0 {
		conn.at = 50
	}
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: fmt.Sprintf("from-%d.example", from), MinVersion: version, MaxVersion: version})
	defer c.Close()
	c.SetDeadline(time.Now().Add(60 * time.Second))
	if err := c.Handshake(); err != nil {
		return err
	}
	sent := make(chan error, 1)
	answered := make(chan bool, len(bunSizes))
	go func() {
		for i, n := range bunSizes {
			if !pipelined && i > 0 {
				<-answered
			}
			head := fmt.Sprintf("POST /%d/%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", from, n, n)
			if _, err := c.Write(append([]byte(head), pattern(n)...)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	r := bufio.NewReader(c)
	for _, n := range bunSizes {
		if slow {
			time.Sleep(20 * time.Millisecond)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		if got, err := io.Copy(io.Discard, resp.Body); err != nil || int(got) != n {
			return fmt.Errorf("%d bytes of %d: %w", got, n, err)
		}
		answered <- true
	}
	return <-sent
}
