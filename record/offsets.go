package record

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// Offsets say where the functions of a TLS library are in one file: what somebody
// knows who has its symbols, of a file that has none. They stand above what is found
// in that file otherwise.
type Offsets struct {
	BuildID   string            // of the file, in hexadecimal
	SHA256    string            // of the file, in hexadecimal, where it has no build id
	Library   string            // name of a [Kind]
	Functions map[string]uint64 // addresses, as nm(1) prints them
}

// File names the file as the text form does.
func (o Offsets) File() string {
	if o.BuildID != "" {
		return "build-id:" + o.BuildID
	}
	return "sha256:" + o.SHA256
}

// maxOffsets bounds the text that ParseOffsets reads, in bytes, and its lines.
const maxOffsets = 1 << 20

// ParseOffsets reads offsets as text. A line names a file, a library and functions:
//
//	build-id:8c1e… boringssl SSL_read=0x12f40 SSL_write=0x13010
//
// sha256:… names a file that has no build id. Several lines may tell of one file.
// Empty lines and what follows a # do not count. Errors name the line, counted from 1.
func ParseOffsets(r io.Reader) ([]Offsets, error) {
	sc := bufio.NewScanner(io.LimitReader(r, maxOffsets+1))
	sc.Buffer(nil, maxOffsets)
	var all []Offsets
	n, size := 0, 0
	for sc.Scan() {
		n++
		if size += len(sc.Bytes()) + 1; size > maxOffsets {
			return nil, fmt.Errorf("line %d: more than %d bytes", n, maxOffsets)
		}
		text, _, _ := strings.Cut(sc.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		o, err := parseOffsets(words)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		at := slices.IndexFunc(all, func(p Offsets) bool { return p.File() == o.File() && p.Library == o.Library })
		if at < 0 {
			all = append(all, o)
			continue
		}
		for name, addr := range o.Functions {
			if _, twice := all[at].Functions[name]; twice {
				return nil, fmt.Errorf("line %d: %s of %s a second time", n, name, o.File())
			}
			all[at].Functions[name] = addr
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	for _, o := range all {
		if err := o.check(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func parseOffsets(words []string) (o Offsets, err error) {
	if len(words) < 3 {
		return o, errors.New("want a file, a library and functions: build-id:HEX boringssl SSL_read=0x…")
	}
	kind, id, _ := strings.Cut(words[0], ":")
	id = strings.ToLower(id)
	raw, err := hex.DecodeString(id)
	switch {
	case kind == "build-id" && err == nil && len(raw) >= 8:
		o.BuildID = id
	case kind == "sha256" && err == nil && len(raw) == sha256.Size:
		o.SHA256 = id
	default:
		return o, fmt.Errorf("%q names no file: build-id:HEX (readelf -n prints it) or sha256:HEX (sha256sum does)", words[0])
	}
	o.Library = words[1]
	roles := givenRoles(o.Library)
	if roles == nil {
		return o, fmt.Errorf("no library %q: those with offsets are %s", o.Library, strings.Join(givenKinds(), ", "))
	}
	o.Functions = map[string]uint64{}
	for _, w := range words[2:] {
		name, value, _ := strings.Cut(w, "=")
		if _, ok := roles[name]; !ok {
			return o, fmt.Errorf("%q is no function of %s that is watched: they are %s", name, o.Library, strings.Join(slices.Sorted(maps.Keys(roles)), " "))
		}
		addr, err := strconv.ParseUint(value, 0, 64)
		if err != nil || addr == 0 {
			return o, fmt.Errorf("%s=%q: give its address, as 0x12f40", name, value)
		}
		if _, twice := o.Functions[name]; twice {
			return o, fmt.Errorf("%s a second time", name)
		}
		o.Functions[name] = addr
	}
	return o, nil
}

// check refuses offsets that leave one direction unseen, and two roles at one place.
func (o Offsets) check() error {
	roles := givenRoles(o.Library)
	var has [2]bool
	at := map[uint64]string{}
	for _, name := range slices.Sorted(maps.Keys(o.Functions)) {
		addr := o.Functions[name]
		if other, twice := at[addr]; twice {
			return fmt.Errorf("%s: %s and %s are both at %#x", o.File(), other, name, addr)
		}
		at[addr] = name
		switch roles[name].what {
		case whatRead:
			has[0] = true
		case whatWrite:
			has[1] = true
		}
	}
	if !has[0] || !has[1] {
		return fmt.Errorf("%s: give at least one function that reads and one that writes, such as %s", o.File(), strings.Join(transferring(roles), " and "))
	}
	return nil
}

// role is what a function of a library tells.
type role struct {
	what  what
	how   how
	flags flags
}

// givenRoles are the functions of a kind of library that offsets can be given of, by
// name; nil for a kind without. Those of one in several files, and Go's, cannot.
func givenRoles(kind string) map[string]role {
	table := kind
	if kind == boringKind {
		table = openSSL.kind // whose interface it kept
	}
	var row *library
	for _, l := range libraries() {
		if l.kind == table {
			if row != nil {
				return nil
			}
			row = l
		}
	}
	if row == nil {
		return nil
	}
	roles := map[string]role{}
	for _, f := range row.functions {
		if f.unless != "" {
			continue // it is seen where it calls that one
		}
		roles[f.name] = role{f.what, f.how, f.flags}
		for _, form := range f.forms {
			roles[form.name] = role{f.what, form.how, f.flags}
		}
	}
	if kind == boringKind {
		for _, name := range []string{"SSL_read_ex", "SSL_write_ex", "SSL_write_ex2", "SSL_sendfile", "SSL_write_early_data", "SSL_read_early_data"} {
			delete(roles, name) // it has them not, or otherwise
		}
	}
	return roles
}

func givenKinds() (kinds []string) {
	for _, k := range Kinds() {
		if givenRoles(k.Name) != nil {
			kinds = append(kinds, k.Name)
		}
	}
	return kinds
}

// transferring names the plainest functions that move plaintext.
func transferring(roles map[string]role) (names []string) {
	for _, w := range []what{whatRead, whatWrite} {
		var of []string
		for name, r := range roles {
			if r.what == w {
				of = append(of, name)
			}
		}
		slices.SortFunc(of, func(a, b string) int { return len(a) - len(b) })
		names = append(names, of[0])
	}
	return names
}

// naming returns the offsets that are of m.
func naming(all []Offsets, m *image) (of []Offsets) {
	var sum string
	for _, o := range all {
		if o.SHA256 != "" && sum == "" {
			sum = m.sha256()
		}
		if o.BuildID != "" && o.BuildID == m.buildID || o.SHA256 != "" && o.SHA256 == sum {
			of = append(of, o)
		}
	}
	return of
}

// given returns what offsets say of m: nothing if they don't name it.
func given(all []Offsets, m *image) (found []content) {
	for _, o := range naming(all, m) {
		sites, err := o.sites(m)
		found = append(found, content{o.Library, sites, err, o.File()})
	}
	return found
}

// sha256 is the sum of the file in hexadecimal, "" if it can't be read.
func (m *image) sha256() string {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(m.f, 0, maxELF)); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sites resolves the places in m. What cannot be the beginning of a function is
// refused: a probe in the middle of an instruction changes what a program does.
func (o Offsets) sites(m *image) (sites []site, err error) {
	roles := givenRoles(o.Library)
	for _, name := range slices.Sorted(maps.Keys(o.Functions)) {
		addr, r := o.Functions[name], roles[name]
		if why := m.noFunction(addr); why != "" {
			return nil, fmt.Errorf("--offsets: %s=%#x of %s %s: are these the addresses that nm prints of this very file?", name, addr, o.File(), why)
		}
		va, cost := m.start(addr)
		s := site{name: fmt.Sprintf("%s@%#x", name, addr), why: "given by --offsets", cost: cost, what: r.what, how: r.how, flags: r.flags}
		s.off, _ = m.fileOffset(va)
		s.ret, s.entry = r.what.returns(), r.what.enters(r.how)
		sites = append(sites, s)
	}
	return sites, nil
}

// noFunction says why no function can begin at va, "" if one can.
func (m *image) noFunction(va uint64) string {
	code := m.code(va, 16)
	if len(code) == 0 {
		return "is in no executable part"
	}
	if m.elf.Machine != elf.EM_X86_64 {
		if va%4 != 0 {
			return "is inside an instruction"
		}
		return ""
	}
	if _, err := x86asm.Decode(code, 64); err != nil {
		return "is no instruction"
	}
	// Compilers align functions; those that don't put them right behind the return, jump
	// or trap that ends another, or behind the filling after it.
	if before := m.code(va-1, 1); va%16 != 0 && len(before) == 1 && !bytes.Contains([]byte{0xc3, 0xcc, 0x90, 0x00, 0x0b}, before) {
		if !m.jumpsBefore(va) {
			return "is inside a function"
		}
	}
	return ""
}

// jumpsBefore reports whether a jump without condition ends at va.
func (m *image) jumpsBefore(va uint64) bool {
	for _, n := range []uint64{2, 5} {
		code := m.code(va-n, int(n))
		if in, err := x86asm.Decode(code, 64); err == nil && uint64(in.Len) == n && in.Op == x86asm.JMP {
			return true
		}
	}
	return false
}
