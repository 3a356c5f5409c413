package record

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxOlder bounds the sockets that are remembered of a process.
const maxOlder = 4096

// peers are the connected sockets of network namespaces, by the inodes of both. It is
// filled as it is asked for; what connects later is not in it.
type peers map[string]map[string]bool

// connected returns the sockets of the network that a process has connected: what
// they are, by the names of their links in procfs. None if it may not be looked into.
// Nothing of the process is touched: a duplicate of a socket would keep it alive.
func (p procFS) connected(pid uint32, known peers) map[string]string {
	dir := filepath.Join(string(p), fmt.Sprint(pid))
	space, err := os.Readlink(filepath.Join(dir, "ns/net"))
	if err != nil {
		return nil
	}
	there, ok := known[space]
	if !ok {
		there = map[string]bool{}
		for _, name := range []string{"tcp", "tcp6", "udp", "udp6"} {
			readPeers(filepath.Join(dir, "net", name), there)
		}
		known[space] = there
	}
	if len(there) == 0 {
		return nil
	}
	d, err := os.Open(filepath.Join(dir, "fd"))
	if err != nil {
		return nil
	}
	defer d.Close()
	found := map[string]string{}
	for {
		names, err := d.Readdirnames(256)
		if err != nil || len(found) >= maxOlder {
			return found
		}
		for _, name := range names {
			link := filepath.Join(dir, "fd", name)
			if is, err := os.Readlink(link); err == nil && there[is] {
				found[link] = is
			}
		}
	}
}

// established is TCP_ESTABLISHED (include/net/tcp_states.h), which connected sockets
// of UDP have too.
const established = "01"

// readPeers adds the connected sockets that a file like /proc/net/tcp lists: the fourth
// column is the state, the tenth the inode (net/ipv4/tcp_ipv4.c: get_tcp4_sock).
func readPeers(name string, to map[string]bool) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 9 && fields[3] == established {
			to["socket:["+fields[9]+"]"] = true
		}
	}
}
