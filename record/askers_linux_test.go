//go:build amd64 || arm64

package record

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/NoFear0411/spliff/format"
)

// tlsOnDemand has a TLS session with itself and moves a byte each way for each line it gets.
const tlsOnDemand = `import socket, ssl, sys, threading
how, cert = sys.argv[1:]
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); server.load_cert_chain(cert)
if how == "unix":
    x, y = socket.socketpair()
else:
    l = socket.create_server(("127.0.0.1", 0)); x = socket.create_connection(l.getsockname()); y, _ = l.accept()
ends = []
t = threading.Thread(target=lambda: ends.append(server.wrap_socket(y, server_side=True))); t.start()
c = ssl._create_unverified_context().wrap_socket(x, server_hostname="x"); t.join(); s = ends[0]
print("done", flush=True)
for line in sys.stdin:
    c.send(b"p"); s.recv(1); s.send(b"q"); c.recv(1); print("done", flush=True)`

// TestAskers: sessions that are older than the recording are linked to their sockets at
// their first write, if they can be expected, else at the second; what is needed for it
// goes when all are. One that proves to use another kind of socket is left out from there.
func TestAskers(t *testing.T) {
	needCapture(t)
	cert, key := selfSigned(t)
	appendFile(t, cert, key)
	for _, tt := range []struct {
		how      string
		expected bool
		without  []Feature
	}{{"tcp", true, nil}, {"tcp", false, nil}, {"unix", false, nil}, {"tcp", false, []Feature{FeatureSession}}, {"tcp", false, []Feature{FeatureUprobeMulti, FeatureSession}}} {
		t.Run(fmt.Sprintf("%s %v %v", tt.how, tt.expected, tt.without), func(t *testing.T) {
			p := talking(t, python(t), "-c", tlsOnDemand, tt.how, cert)
			if err := p.done(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pid := p.pid()
			s, err := Open(ctx, Options{PIDs: []uint32{pid}, Live: true, Without: tt.without})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if expected := s.askers.on[pid] != nil; expected != (tt.how == "tcp") {
				t.Fatalf("expected %v of a process with sessions over %s", expected, tt.how)
			}
			if !tt.expected && s.askers.on[pid] != nil {
				s.askers.drop(pid)
			}
			before := links(t)
			l := newTally(t)
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx, l) }()
			for range 3 {
				p.ask("")
				time.Sleep(200 * time.Millisecond) // to put probes on
			}
			if !tt.expected {
				noneStays(t, before)
			}
			var waits uint32
			if err := s.k.coll.Maps["asking"].Lookup(pid, &waits); err == nil && waits > 0 {
				t.Errorf("%d sessions wait for their sockets", waits)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			checkAsked(t, l, s.Stats(), tt.how, tt.expected)
		})
	}
}

func checkAsked(t *testing.T, l *tally, st Stats, how string, expected bool) {
	t.Helper()
	if len(l.conns) != 2 || st.LostEvents != 0 {
		t.Fatalf("%d connections, %+v, want both ends and no loss", len(l.conns), st)
	}
	for id, c := range l.conns {
		wrote, read := l.got[[2]uint32{id, uint32(format.DirWrite)}], l.got[[2]uint32{id, uint32(format.DirRead)}]
		_, over := l.ends[id]
		switch {
		case !c.MidStream:
			t.Errorf("connection %+v, want one that is older", c)
		case how == "tcp" && (!c.Remote.IsValid() || wrote != 3 || read != 3 || over):
			t.Errorf("connection %+v wrote %d and read %d, ended %v, want 3 each through a known socket", c, wrote, read, over)
		case how == "unix" && (c.Remote.IsValid() || wrote != 1 || !over):
			t.Errorf("connection %+v wrote %d and read %d, ended %v, want it left out after its first write", c, wrote, read, over)
		}
	}
	if how == "unix" && st.LocalConns != 2 {
		t.Errorf("%d sessions are told as left out, want 2", st.LocalConns)
	}
}
