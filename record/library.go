package record

import (
	"fmt"
	"path"
	"slices"
)

// Kind is a kind of TLS library: what Target.Library and PROBE events name.
type Kind struct {
	Name  string   // "openssl"
	Title string   // "OpenSSL"
	Files []string // base names of its shared libraries, patterns as of [path.Match]; none if it is part of programs
}

// Kinds returns every kind that can be recorded, always in the same order. The
// result is the caller's.
func Kinds() []Kind {
	var kinds []Kind
	for _, l := range libraries() {
		i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == l.kind })
		if i < 0 {
			kinds = append(kinds, Kind{Name: l.kind, Title: l.title})
			i = len(kinds) - 1
		}
		kinds[i].Files = append(kinds[i].Files, l.files...)
	}
	return append(kinds, Kind{Name: boringKind, Title: "BoringSSL"}, Kind{Name: goKind, Title: "Go crypto/tls"})
}

// library is a row of the table of libraries: one kind of file with functions to
// watch. A kind whose functions are spread over files has several rows.
type library struct {
	kind, title string
	files       []string   // patterns of base names
	functions   []function // those that are needed are what a file is known by if its name says nothing
}

// function is one exported function of a library and its role.
type function struct {
	name   string
	what   what
	how    how
	flags  flags
	need   bool   // a file without it is not this library
	unless string // not watched where this is exported: it calls it, and that one's probe costs less
	forms  []form // other exports for the same; see transferSites
	inner  bool   // reads, writes or shakes hands as innerRead, innerWrite and innerShakes know it
}

// form is another export that does what a function does, and its shape.
type form struct {
	name string
	how  how
}

// named returns the rows whose files are called base.
func named(base string) (rows []*library) {
	for _, l := range libraries() {
		for _, pattern := range l.files {
			if ok, _ := path.Match(pattern, base); ok {
				rows = append(rows, l)
				break
			}
		}
	}
	return rows
}

// within returns the rows whose needed functions m exports: what a file is whose
// name says nothing, such as a program with OpenSSL built in.
func within(m *image) (rows []*library) {
	for _, l := range libraries() {
		if len(l.missing(m)) == 0 {
			rows = append(rows, l)
		}
	}
	return rows
}

// missing lists the needed functions that m does not export.
func (l *library) missing(m *image) (names []string) {
	for _, f := range l.functions {
		if _, ok := m.symbols[f.name]; f.need && !ok {
			names = append(names, f.name)
		}
	}
	return names
}

// sites resolves every place to watch in m. It fails when m does not export what
// carries plaintext.
func (l *library) sites(m *image) ([]site, error) {
	if names := l.missing(m); len(names) > 0 {
		return nil, fmt.Errorf("resolve %s: %w", names[0], ErrNoLibrary)
	}
	var sites []site
	for _, f := range l.functions {
		if _, ok := m.symbols[f.name]; !ok {
			continue
		}
		if _, ok := m.symbols[f.unless]; ok {
			continue
		}
		got := f.sites(m)
		for _, s := range got {
			// Two roles at one address would be told as both.
			if i := slices.IndexFunc(sites, func(o site) bool { return o.off == s.off }); i >= 0 {
				return nil, fmt.Errorf("resolve %s: it and %s both lead to %#x: %w", s.name, sites[i].name, s.off, ErrNoLibrary)
			}
		}
		sites = append(sites, got...)
	}
	return sites, nil
}

// sites resolves one function that m exports.
func (f *function) sites(m *image) (sites []site) {
	switch {
	case len(f.forms) > 0:
		sites = transferSites(m, f)
	case f.what.returns():
		if s, ok := exported(m, f.name, "exported"); ok {
			s.ret, s.how = true, f.how
			sites = []site{s}
		}
		if f.inner {
			inner, _ := innerShakes(m) // without them, calls are watched that show what they would
			sites = append(sites, inner...)
		}
	default:
		args := 1
		if f.what == whatRole {
			args = 2
		}
		if s, ok := touchSite(m, f.name, args); ok {
			sites = []site{s}
		}
	}
	for i := range sites {
		if sites[i].what == 0 {
			sites[i].what = f.what
		}
		sites[i].flags |= f.flags
		sites[i].entry = f.what.enters(f.how)
	}
	return sites
}

// enters reports whether the entry of such a function is watched: where a session is
// made and returned there is none yet.
func (w what) enters(h how) bool { return w != whatNew || h != howSession }

// returns reports whether the return of such a function is watched.
func (w what) returns() bool { return w <= whatNew }
