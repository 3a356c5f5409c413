package record

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"slices"

	"github.com/NoFear0411/spliff/record/locate"
)

// content is one kind of TLS library in a file: where its probes go, or why it
// gets none.
type content struct {
	kind  string
	sites []site
	err   error
	given string // as [Target.Given]
}

// contents says which libraries are in m. rows are what its name says; with none,
// its exports decide, and then what is built in without being exported.
func contents(m *image, rows []*library) (found []content) {
	if rows == nil {
		rows = within(m)
	}
	for _, row := range rows {
		sites, err := row.sites(m)
		found = append(found, content{kind: row.kind, sites: sites, err: err})
	}
	if len(found) > 0 {
		return found
	}
	for _, built := range []struct {
		kind  string
		sites func(*image) ([]site, error)
	}{{goKind, goSites}, {boringKind, boringSites}} {
		if sites, err := built.sites(m); !errors.Is(err, locate.ErrAbsent) {
			found = append(found, content{kind: built.kind, sites: sites, err: err})
		}
	}
	if len(found) == 0 {
		for _, name := range unwatched(m) {
			err := fmt.Errorf("%w: %s", errUnwatched, name)
			if givenRoles(name) != nil {
				err = fmt.Errorf("%w; --offsets can give them", err)
			}
			found = append(found, content{kind: name, err: err})
		}
	}
	return found
}

// errUnwatched is why a file with a TLS stack gets no probes.
var errUnwatched = errors.New("seen, not supported: its functions are not known here")

// unwatchedExports tell stacks that nobody can watch by a function they export.
// Java's TLS is compiled while it runs; .NET's is OpenSSL.
var unwatchedExports = []struct{ export, name string }{
	{"s2n_negotiate", "s2n"},
	{"JNI_CreateJavaVM", "jsse"},
}

// unwatched names the TLS stacks in a file that cannot be recorded.
func unwatched(m *image) (names []string) {
	for _, u := range unwatchedExports {
		if _, ok := m.symbols[u.export]; ok {
			names = append(names, u.name)
		}
	}
	// A Go program's own TLS is found by its functions; what it only names is no
	// part of it. Ours names all of them.
	if len(names) == 0 && large(m.elf) && !locate.IsGo(m.elf) {
		names = locate.Unsupported(m.elf, m.f)
	}
	return names
}

// promising reports whether a file whose name says nothing is worth a closer look.
// It costs a hundredth of that, and most files are not.
func promising(open string) (yes bool) {
	defer func() {
		if recover() != nil { // the file is hostile input
			yes = false
		}
	}()
	f, e, err := openELF(open)
	if err != nil {
		return false
	}
	defer f.Close()
	return locate.IsGo(e) || mentions(e) || large(e)
}

// large reports whether a file has code enough for a browser's TLS, which only its
// bytes tell of: BoringSSL alone has a megabyte, and what uses it is larger.
func large(e *elf.File) bool {
	text := e.Section(".text")
	return text != nil && text.Size >= 2<<20
}

// mentions reports whether the names of a library's needed functions are among
// the dynamic strings of a file. One that only calls them has them too.
func mentions(e *elf.File) bool {
	s := e.Section(".dynstr")
	if s == nil || s.Type != elf.SHT_STRTAB {
		return false
	}
	strs, err := s.Data()
	if err != nil {
		return false
	}
	for _, u := range unwatchedExports {
		if bytes.Contains(strs, append([]byte(u.export), 0)) {
			return true
		}
	}
	return slices.ContainsFunc(libraries(), func(l *library) bool {
		for _, f := range l.functions {
			if f.need && !bytes.Contains(strs, append([]byte(f.name), 0)) {
				return false
			}
		}
		return true
	})
}
