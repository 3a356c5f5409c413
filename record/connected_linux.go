package record

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxOlder bounds the sockets that are remembered of a process.
const maxOlder = 4096

// connected returns the sockets of the network that a process has connected: what
// they are, by the names of their links in procfs. None if it may not be looked into.
func (p procFS) connected(pid uint32) map[string]string {
	dir := filepath.Join(string(p), fmt.Sprint(pid), "fd")
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	process, err := unix.PidfdOpen(int(pid), 0)
	if err != nil {
		return nil
	}
	defer unix.Close(process)
	found := map[string]string{}
	for {
		names, err := d.Readdirnames(256)
		if err != nil || len(found) >= maxOlder {
			return found
		}
		for _, name := range names {
			link := filepath.Join(dir, name)
			is, err := os.Readlink(link)
			if err != nil || !strings.HasPrefix(is, "socket:") {
				continue
			}
			if fd, err := strconv.Atoi(name); err == nil && hasPeer(process, fd) {
				found[link] = is
			}
		}
	}
}

// hasPeer reports whether a descriptor of a process is a connected socket of the
// network. The duplicate that is asked shares nothing with the process but the socket.
func hasPeer(process, fd int) bool {
	dup, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		return false
	}
	defer unix.Close(dup)
	peer, err := unix.Getpeername(dup)
	if err != nil {
		return false
	}
	switch peer.(type) {
	case *unix.SockaddrInet4, *unix.SockaddrInet6:
		return true
	}
	return false
}
