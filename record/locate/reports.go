package locate

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// codeView reads a program's code.
type codeView struct {
	r          io.ReaderAt
	base       uint64 // in the file
	addr, size uint64
}

// at returns up to n bytes of code at an address.
func (c *codeView) at(addr, n uint64) []byte {
	if addr < c.addr || addr-c.addr >= c.size {
		return nil
	}
	b := make([]byte, min(n, c.size-(addr-c.addr)))
	got, err := c.r.ReadAt(b, int64(c.base+addr-c.addr))
	if err != nil && err != io.EOF {
		return nil
	}
	return b[:got]
}

// report is a place where code calls for an error report.
type report struct {
	at           uint64 // of the instruction that names the source file
	lib          uint32 // the part of the library that the file belongs to
	reason, line uint32 // 0 where they are not beside it
}

// maxReports bounds the places looked at; the library has about 60.
const maxReports = 1024

// findReports finds where one of the strings is made the fourth argument, in RCX, of
// ERR_put_error(library, unused, reason, file, line). names says of each, by its address,
// which library its reports must name. They come in the order of their addresses.
func findReports(c *codeView, names map[uint64]uint32) ([]report, error) {
	places := map[uint64]uint32{}
	add := func(at, name uint64) {
		if len(places) < maxReports {
			places[at] = names[name]
		}
	}
	err := each(c.r, c.base, c.size, 16, func(off uint64, piece []byte) bool {
		here := c.addr + off
		// lea x(%rip),%rcx
		for at := 0; ; at++ {
			i := bytes.Index(piece[at:], []byte{0x48, 0x8d, 0x0d})
			if i < 0 || at+i+7 > len(piece) {
				break
			}
			at += i
			to := here + uint64(at) + 7 + uint64(int64(int32(binary.LittleEndian.Uint32(piece[at+3:]))))
			if _, ok := names[to]; ok {
				add(here+uint64(at), to)
			}
		}
		// mov $x,%ecx, in programs that are not position-independent
		for name := range names {
			if name > 0xffffffff {
				continue
			}
			pattern := binary.LittleEndian.AppendUint32([]byte{0xb9}, uint32(name))
			for at := 0; ; at++ {
				i := bytes.Index(piece[at:], pattern)
				if i < 0 {
					break
				}
				at += i
				add(here+uint64(at), name)
			}
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("read code: %w", err)
	}
	var all []report
	for _, at := range slices.Sorted(maps.Keys(places)) {
		if rep, ok := readReport(c, at, places[at]); ok {
			all = append(all, rep)
		}
	}
	return all, nil
}

// readReport reads the arguments that are set between the place and its call. Only
// calls that name the library count: the file's name serves assertions too.
func readReport(c *codeView, at uint64, lib uint32) (rep report, ok bool) {
	rep.at, rep.lib = at, lib
	code := c.at(at, 64)
	for pc := 0; pc < len(code); {
		in, err := x86asm.Decode(code[pc:], 64)
		if err != nil {
			return rep, false
		}
		pc += in.Len
		if in.Op == x86asm.CALL || in.Op == x86asm.JMP {
			return rep, ok
		}
		n, isImm := in.Args[1].(x86asm.Imm)
		if in.Op != x86asm.MOV || !isImm {
			continue
		}
		switch in.Args[0] {
		case x86asm.EDI:
			ok = uint32(n) == lib
		case x86asm.EDX:
			rep.reason = uint32(n)
		case x86asm.R8L:
			rep.line = uint32(n)
		}
	}
	return rep, false
}

// maxReporter bounds the code of a function that reports; SSL_new, with all it
// calls in it, has 2 KiB.
const maxReporter = 16 << 10

// findStarts returns, in order, where functions begin in front of the reports, which are
// in order too: what code anywhere calls, if it looks like a beginning. padded has
// also those that only the padding in front of them tells.
func findStarts(c *codeView, reports []report) (starts, padded []uint64, err error) {
	near := func(to uint64) bool {
		i, _ := slices.BinarySearchFunc(reports, to, func(r report, to uint64) int { return cmp.Compare(r.at, to) })
		return i < len(reports) && reports[i].at-to < maxReporter
	}
	first, last := reports[0].at, reports[len(reports)-1].at
	first -= min(first, maxReporter)
	found := map[uint64]bool{}
	err = each(c.r, c.base, c.size, 4, func(off uint64, piece []byte) bool {
		here := c.addr + off
		for _, op := range []byte{0xe8, 0xe9} { // call, jmp
			for at := 0; ; at++ {
				i := bytes.IndexByte(piece[at:], op)
				if i < 0 || at+i+5 > len(piece) {
					break
				}
				at += i
				to := here + uint64(at) + 5 + uint64(int64(int32(binary.LittleEndian.Uint32(piece[at+1:]))))
				if to >= first && to <= last && to%16 == 0 && !found[to] && near(to) {
					found[to] = true
				}
			}
		}
		return true
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read code: %w", err)
	}
	for _, to := range slices.Sorted(maps.Keys(found)) {
		begins := begins(c, to)
		if begins {
			starts = append(starts, to)
		}
		// Nothing runs from int3 into what is behind it.
		if begins || bytes.Equal(c.at(to-2, 2), []byte{0xcc, 0xcc}) {
			padded = append(padded, to)
		}
	}
	return starts, padded, nil
}

// begins reports whether a function begins at an address that something seems to
// call: bytes in the middle of an instruction can look like a call.
func begins(c *codeView, addr uint64) bool {
	code, before := c.at(addr, 15), byte(0xcc)
	if b := c.at(addr-1, 1); len(b) == 1 {
		before = b[0]
	}
	if len(code) < 15 {
		return false
	}
	code = bytes.TrimPrefix(code, []byte{0xf3, 0x0f, 0x1e, 0xfa}) // endbr64
	if bytes.HasPrefix(code, []byte{0x55, 0x48, 0x89, 0xe5}) {
		return true // push %rbp; mov %rsp,%rbp
	}
	push := code[0]&0xf8 == 0x50 || code[0] == 0x41 && code[1]&0xf8 == 0x50
	// Padding, or a return, in front of it.
	return push && (before == 0xcc || before == 0x90 || before == 0xc3)
}

// reporter is a function that reports errors.
type reporter struct {
	start    uint64
	reasons  []uint32 // each once, in order
	lines    []uint32 // in order
	consumes bool     // it writes to memory that is not its stack
	calls    int      // different functions that it calls directly
	before   int      // lines between its first report and SSL_write's, 0 if it is not shortly before that
}

func (f *reporter) reports(reason uint32) bool { return slices.Contains(f.reasons, reason) }

// reporters tells which function each report belongs to: the nearest beginning in
// front of it from which it can be reached. Reports that no beginning reaches are
// left out.
func reporters(c *codeView, reports []report, starts []uint64) []*reporter {
	var all []*reporter
	reach := map[uint64]*flow{}
	for _, rep := range reports {
		i, exact := slices.BinarySearch(starts, rep.at)
		if exact || i == 0 {
			continue
		}
		start := starts[i-1]
		end := start + maxReporter
		if i < len(starts) {
			end = min(end, starts[i])
		}
		if reach[start] == nil {
			reach[start] = follow(c.at(start, end-start))
		}
		if !reach[start].seen[int(rep.at-start)] {
			continue
		}
		at := slices.IndexFunc(all, func(f *reporter) bool { return f.start == start })
		if at < 0 {
			at = len(all)
			all = append(all, &reporter{start: start, consumes: reach[start].writes, calls: len(reach[start].calls)})
		}
		f := all[at]
		f.lines = append(f.lines, rep.line)
		if !f.reports(rep.reason) {
			f.reasons = append(f.reasons, rep.reason)
		}
	}
	for _, f := range all {
		slices.Sort(f.reasons)
		slices.Sort(f.lines)
	}
	return all
}

// flow is what can be reached from a function's first byte without leaving it.
type flow struct {
	seen   map[int]bool // instructions by offset
	writes bool         // one writes to memory that is not the stack
	calls  map[int]bool // what is called directly
}

// follow walks a function's code along its direct jumps.
func follow(code []byte) *flow {
	f := &flow{seen: map[int]bool{}, calls: map[int]bool{}}
	for todo := []int{0}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for at >= 0 && at < len(code) && !f.seen[at] {
			f.seen[at] = true
			if n := vexLen(code[at:]); n > 0 {
				at += n
				continue
			}
			in, err := x86asm.Decode(code[at:], 64)
			if err != nil {
				break
			}
			at += in.Len
			f.writes = f.writes || writesAway(in)
			rel, direct := in.Args[0].(x86asm.Rel)
			switch in.Op {
			case x86asm.CALL:
				if direct {
					f.calls[at+int(rel)] = true
				}
				continue
			case x86asm.RET, x86asm.INT, x86asm.UD2, x86asm.HLT:
				at = -1
			case x86asm.JMP:
				if direct {
					todo = append(todo, at+int(rel))
				}
				at = -1
			default:
				if direct {
					todo = append(todo, at+int(rel))
				}
			}
		}
	}
	return f
}

// writesAway reports whether an instruction writes to memory that is not named
// relative to the stack.
func writesAway(in x86asm.Inst) bool {
	m, ok := in.Args[0].(x86asm.Mem)
	if !ok || m.Base == x86asm.RSP || m.Base == x86asm.RBP || in.Op == x86asm.CMP || in.Op == x86asm.TEST {
		return false
	}
	switch in.Op {
	case x86asm.MOV, x86asm.ADD, x86asm.SUB:
		return true
	}
	return false
}
