//go:build amd64 || arm64

package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// memoryWrites are the functions through which OpenSSL writes what is to be sent,
// into memory or elsewhere: (BIO, bytes, length). Those of BoringSSL are found with it.
var memoryWrites = []string{"BIO_write"}

// memory links sessions that write into memory to the sockets that their programs
// send it through: by what is sent, never by when. Where OpenSSL has a function that
// only writes into its own kind of memory, a probe is on that, of all processes: a
// program may make its first session as soon as it has loaded the library. Other probes
// are on while processes live that write into memory of their own, and on them alone.
// It belongs to one goroutine.
type memory struct {
	libs  *libs
	sites found[[]site] // of files looked at
	hands found[bool]   // handsMemory of files
	plain found[bool]   // whether files have a probe on their memoryWrite
	alone []fileKey     // those that have
	links map[uint32][]io.Closer
}

// found is what was found out of files, by identity. It forgets all when it is much.
type found[T any] map[string]T

// of returns it of one file, and finds it out the first time.
func (f found[T]) of(id string, find func() T) T {
	v, known := f[id]
	if !known {
		v = find()
		if len(f) >= maxMet {
			clear(f)
		}
		f[id] = v
	}
	return v
}

func newMemory(l *libs) *memory {
	m := &memory{libs: l, sites: found[[]site]{}, hands: found[bool]{}, plain: found[bool]{}, links: map[uint32][]io.Closer{}}
	// Looked at beforehand: when a session asks, its next write is milliseconds away.
	for _, path := range globAll(inFolders("libcrypto.so.*")) {
		m.look(path)
		m.watchAlone(path, path)
	}
	return m
}

// serve puts the probes on a process that asks, unless they are on.
func (m *memory) serve(pid uint32, maps []mapped) error {
	if _, on := m.libs.k.matched(pid); on {
		return nil
	}
	return m.watch(pid, maps)
}

// renew tells the kernel side if more of a process that is watched can be by now: it
// may have loaded another library.
func (m *memory) renew(pid uint32, maps []mapped) error {
	calls, on := m.libs.k.matched(pid)
	if !on || calls || len(m.libs.demands(maps)) == 0 {
		return nil
	}
	return m.libs.k.matching(pid, true, m.any())
}

// any reports whether there are probes of either kind.
func (m *memory) any() bool { return len(m.links)+len(m.alone) > 0 }

// watch puts the probes on a process, which has mapped maps.
func (m *memory) watch(pid uint32, maps []mapped) error {
	m.drop(pid) // it runs another program than when they were put on
	exe := m.libs.proc.exe(pid)
	handed := slices.ContainsFunc(maps, m.handed)
	for _, file := range maps {
		crypto := isCrypto(file)
		if file.path != exe && !crypto && named(filepath.Base(file.path)) == nil {
			continue
		}
		if crypto && handed && m.watchAlone(file.path, file.open) {
			continue // the other probe would say the same once more
		}
		sites := m.look(file.open)
		if len(sites) == 0 {
			continue
		}
		f, err := os.Open(file.open)
		if err != nil {
			continue // it is gone
		}
		// The symbols were read when the sites were found.
		l, err := m.libs.k.watchWrites(&image{path: file.path, f: f}, sites, pid)
		f.Close()
		if gone(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("addresses of sessions are missing: watch what process %d writes into memory: %w", pid, err)
		}
		m.links[pid] = append(m.links[pid], l)
	}
	// Said also of a process without such functions, or it would ask for ever.
	return m.libs.k.matching(pid, len(m.libs.demands(maps)) > 0, m.any())
}

func (k *kernel) watchWrites(m *image, sites []site, pid uint32) (io.Closer, error) {
	g := group{prog: "cipher_written"}
	for _, s := range sites {
		g.at, g.cookies = append(g.at, s.off), append(g.cookies, 0)
	}
	return k.link(m, g, pid)
}

// gone reports whether an error says that the process is gone.
func gone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// linkCalls is LINK_CALLS of bpf/maps.h.
const linkCalls = uint32(1)

// matching tells the kernel side that a process is watched, whether its writes can be
// watched too, and whether any process is.
func (k *kernel) matching(pid uint32, calls, any bool) error {
	if err := k.coll.Maps["linking"].Put(pid, bit(calls)*linkCalls); err != nil {
		return fmt.Errorf("link by content: %w", err)
	}
	on := uint32(0)
	if any {
		on = 1
	}
	return k.coll.Variables["matching"].Set(on)
}

// matched reports whether a process was said to be watched since it runs its program,
// and its writes too.
func (k *kernel) matched(pid uint32) (calls, on bool) {
	var bits uint32
	err := k.coll.Maps["linking"].Lookup(pid, &bits)
	return bits&linkCalls != 0, err == nil
}

// look finds the functions in a file, once.
func (m *memory) look(open string) []site {
	id, ok := identity(open)
	if !ok {
		return nil
	}
	m.libs.mu.Lock()
	sites, known := m.libs.writes[id] // a program with a library in it can take a second to read
	m.libs.mu.Unlock()
	if known {
		return sites
	}
	return m.sites.of(id, func() (sites []site) {
		if img, err := openImage(open); err == nil {
			sites = writeSites(img)
			img.Close()
		}
		return sites
	})
}

func writeSites(m *image) (sites []site) {
	for _, name := range memoryWrites {
		if s, ok := touchSite(m, name, 3); ok {
			sites = append(sites, s)
		}
	}
	return sites
}

// builtInWrites returns the same of libraries that export none of it.
func builtInWrites(found []content) []site {
	return sitesThat(found, func(s site) bool { return s.memory })
}

// maxExpected bounds the processes that are watched before they ask.
const maxExpected = 128

// expect watches a process that is likely to write into memory: one with OpenSSL or such
// functions of BoringSSL built in, or with a file that hands memory to OpenSSL. Others ask
// with their first session, parts of which may be over by the time that they are watched.
func (m *memory) expect(pid uint32, maps []mapped) error {
	if m.links[pid] != nil || len(m.links) >= maxExpected || !m.libs.wanted(pid) {
		return nil
	}
	exe := m.libs.proc.exe(pid)
	shared := false
	for _, file := range maps {
		if isCrypto(file) {
			shared = true
			m.watchAlone(file.path, file.open)
		}
	}
	for _, file := range maps {
		if shared && m.handed(file) {
			return m.watch(pid, maps)
		}
		if file.path != exe {
			continue
		}
		id, _ := identity(file.open)
		m.libs.mu.Lock()
		within := len(m.libs.writes[id]) > 0
		m.libs.mu.Unlock()
		if within {
			return m.watch(pid, maps)
		}
	}
	return nil
}

func (m *memory) drop(pid uint32) error {
	var errs []error
	for _, l := range m.links[pid] {
		errs = append(errs, l.Close())
	}
	delete(m.links, pid)
	return errors.Join(errs...)
}

// reap takes the probes off processes that are gone.
func (m *memory) reap() {
	for pid := range m.links {
		if !m.libs.proc.exists(pid) {
			m.drop(pid)
		}
	}
}

// Close takes every probe off.
func (m *memory) Close() {
	for pid := range m.links {
		m.drop(pid)
	}
}
