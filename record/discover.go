package record

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// procFS is the procfs that is read; tests give a folder of their own.
type procFS string

// mapped is an executable mapping of a file.
type mapped struct {
	pid  uint32
	path string // as the process sees it
	file string // device, inode and path: the same for each process in a mount namespace
	open string // a path that opens exactly that inode, in any mount namespace
}

// fileKey tells two files apart.
type fileKey struct {
	dev, inode uint64 // dev is 0 where the same file shows under several
	buildID    string
}

// base is the name of the file, also of one that is deleted.
func (m mapped) base() string { return filepath.Base(strings.TrimSuffix(m.path, " (deleted)")) }

// inode is the file's inode number in decimal.
func (m mapped) inode() string {
	_, rest, _ := strings.Cut(m.file, " ")
	inode, _, _ := strings.Cut(rest, " ")
	return inode
}

// pids lists the processes.
func (p procFS) pids() []uint32 {
	names, _ := filepath.Glob(filepath.Join(string(p), "[0-9]*"))
	var pids []uint32
	for _, n := range names {
		if v, err := strconv.ParseUint(filepath.Base(n), 10, 32); err == nil {
			pids = append(pids, uint32(v))
		}
	}
	return pids
}

// exists reports whether a process lives.
func (p procFS) exists(pid uint32) bool {
	_, err := os.Stat(filepath.Join(string(p), strconv.FormatUint(uint64(pid), 10), "stat"))
	return err == nil
}

// mappings returns the executable mappings of files of a process, each file once.
// A process that vanished has none.
func (p procFS) mappings(pid uint32) []mapped {
	dir := filepath.Join(string(p), strconv.FormatUint(uint64(pid), 10))
	f, err := os.Open(filepath.Join(dir, "maps"))
	if err != nil {
		return nil
	}
	defer f.Close()
	var found []mapped
	seen := map[string]bool{}
	sc := bufio.NewScanner(io.LimitReader(f, 64<<20))
	sc.Buffer(make([]byte, 0, 8192), 1<<16)
	for sc.Scan() {
		m, ok := parseMapping(sc.Bytes())
		if !ok || seen[m.file] {
			continue
		}
		seen[m.file] = true
		// map_files opens the mapped inode itself, also when it was replaced on disk by
		// an upgrade or lies in another mount namespace.
		found = append(found, mapped{pid: pid, path: m.path, file: m.file, open: filepath.Join(dir, "map_files", m.span)})
	}
	return found
}

type mapping struct{ span, path, file string }

// parseMapping reads a line of /proc/PID/maps (Documentation/filesystems/proc.rst)
// and accepts executable mappings of files.
func parseMapping(line []byte) (mapping, bool) {
	fields := bytes.Fields(line)
	if len(fields) < 6 || len(fields[1]) < 3 || fields[1][2] != 'x' || fields[5][0] != '/' {
		return mapping{}, false
	}
	// The path is the rest of the line: it may hold spaces.
	at := bytes.IndexByte(line, '/')
	file := string(fields[3]) + " " + string(fields[4]) + " " + string(line[at:])
	// map_files prints addresses without the zeros that maps pads low ones with.
	from, to, _ := strings.Cut(string(fields[0]), "-")
	span := strings.TrimLeft(from, "0") + "-" + strings.TrimLeft(to, "0")
	return mapping{span: span, path: string(line[at:]), file: file}, true
}

// parents returns the parent of every process.
func (p procFS) parents() map[uint32]uint32 {
	up := map[uint32]uint32{}
	for _, pid := range p.pids() {
		if st, err := p.stat(pid); err == nil {
			up[pid] = st.ppid
		}
	}
	return up
}

// descendants returns root and every process below it.
func (p procFS) descendants(root uint32) []uint32 {
	up := p.parents()
	tree := []uint32{root}
	for pid := range up {
		// A chain of parents is as long as the tree is deep; the bound ends a cycle
		// that a racing re-parenting could show.
		for at, n := pid, 0; n < 4096; n++ {
			next, ok := up[at]
			if !ok || at == 0 {
				break
			}
			if next == root && pid != root {
				tree = append(tree, pid)
				break
			}
			at = next
		}
	}
	return tree
}

type procStat struct {
	comm  string
	ppid  uint32
	start uint64 // after boot, in parts of a second: see userHz
}

// stat reads /proc/PID/stat. The name field may hold any byte, spaces and
// parentheses included, so fields are counted from its last ')'.
func (p procFS) stat(pid uint32) (procStat, error) {
	b, err := os.ReadFile(filepath.Join(string(p), strconv.FormatUint(uint64(pid), 10), "stat"))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(b)
}

func parseStat(b []byte) (procStat, error) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return procStat{}, fmt.Errorf("parse stat: no name in %q", b)
	}
	fields := bytes.Fields(b[end+1:])
	const ppidAt, startAt = 1, 19 // proc_pid_stat(5) counts from 1, and two fields are before the ')'
	if len(fields) <= startAt {
		return procStat{}, fmt.Errorf("parse stat: %d fields", len(fields))
	}
	ppid, err := strconv.ParseUint(string(fields[ppidAt]), 10, 32)
	if err != nil {
		return procStat{}, fmt.Errorf("parse stat: %w", err)
	}
	start, err := strconv.ParseUint(string(fields[startAt]), 10, 64)
	if err != nil {
		return procStat{}, fmt.Errorf("parse stat: %w", err)
	}
	_, name, _ := bytes.Cut(b[:end], []byte("("))
	return procStat{comm: string(name), ppid: uint32(ppid), start: start}, nil
}

// exe and cgroup describe a process that may be gone already: then they are "".
func (p procFS) exe(pid uint32) string {
	s, err := os.Readlink(filepath.Join(string(p), strconv.FormatUint(uint64(pid), 10), "exe"))
	if err != nil {
		return ""
	}
	return s
}

func (p procFS) cgroup(pid uint32) string {
	b, err := os.ReadFile(filepath.Join(string(p), strconv.FormatUint(uint64(pid), 10), "cgroup"))
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			return path
		}
	}
	return ""
}

// isLinker accepts the dynamic linkers of glibc and musl.
func isLinker(base string) bool {
	return strings.HasPrefix(base, "ld-linux") || strings.HasPrefix(base, "ld-musl") || base == "ld.so"
}

// installedPatterns are where libraries lie on common distributions.
func installedPatterns() (tls, linkers []string) {
	for _, l := range libraries() {
		tls = append(tls, inFolders(l.files...)...)
	}
	return tls, []string{"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-*.so.1"}
}

// installedPrograms are the program files of that name that are installed: on the path,
// and where a script on the path, such as a browser's, has what it starts.
func installedPrograms(name string) []string {
	if name == "" || strings.ContainsAny(name, `/*?[\`) {
		return nil
	}
	found := globAll([]string{"/usr/lib/" + name + "*/" + name, "/usr/lib64/" + name + "*/" + name,
		"/opt/" + name + "*/" + name, "/opt/*/" + name + "/" + name})
	if path, err := exec.LookPath(name); err == nil {
		found = append(found, path)
	}
	return found
}

func globAll(patterns []string) []string {
	var all []string
	for _, p := range patterns {
		m, _ := filepath.Glob(p)
		all = append(all, m...)
	}
	return all
}

// inFolders are files of these names in the folders of libraries.
func inFolders(names ...string) (patterns []string) {
	for _, dir := range []string{"/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib", "/lib/*-linux-gnu", "/lib64", "/lib",
		"/usr/local/lib", "/usr/local/lib64", "/usr/local/*/lib", "/opt/*/lib", "/opt/*/lib64"} {
		for _, name := range names {
			patterns = append(patterns, dir+"/"+name)
		}
	}
	return patterns
}
