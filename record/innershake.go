package record

import (
	"debug/elf"
	"fmt"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// innerShakes finds the functions of OpenSSL that shake hands, of servers and of clients:
//
//	void SSL_set_accept_state(SSL *s) { … s->handshake_func = s->method->ssl_accept; … }
//
// All that begins a handshake comes to them: SSL_do_handshake, and the reads and writes
// of programs that leave it to these. They serve what comes after the handshake too,
// so only sessions count whose beginning was seen.
func innerShakes(m *image) ([]site, error) {
	if m.elf.Machine != elf.EM_X86_64 {
		return nil, fmt.Errorf("find the handshakes: %w: not amd64", errFlow)
	}
	var of [2][]uint64
	var slots [2]int64
	for i, name := range []string{"SSL_set_accept_state", "SSL_set_connect_state"} {
		sym, ok := m.symbols[name]
		if !ok {
			return nil, fmt.Errorf("find the handshakes: %w: no %s", errFlow, name)
		}
		if slots[i], ok = keptSlot(m.code(m.body(sym.Value), 256)); !ok {
			return nil, fmt.Errorf("find the handshakes: %w: %s", errFlow, name)
		}
		of[i] = methodFunctions(m, slots[i])
	}
	var sites []site
	for i, how := range []how{howAccept, howConnect} {
		for _, fn := range of[i] {
			if slices.Contains(of[1-i], fn) {
				continue // it says that the other side's method is used
			}
			va, cost := m.startWith(fn, 1)
			off, ok := m.fileOffset(va)
			if !ok {
				return nil, fmt.Errorf("find the handshakes: %w: %#x", errFlow, fn)
			}
			sites = append(sites, site{name: fmt.Sprintf("handshake_func@%#x", fn), off: off, cost: cost, what: whatHandshake, how: how, flags: flagKnown, ret: true,
				why: "function of a method table that shakes hands"})
		}
	}
	if len(sites) == 0 || slots[0] == slots[1] {
		return nil, fmt.Errorf("find the handshakes: %w", errFlow)
	}
	return sites, nil
}

// keptSlot returns the offset in the method table of the function that code of a function
// keeps in the session it is given: mov method(%session),%table … mov slot(%table),%fn …
// mov %fn,func(%session).
func keptSlot(code []byte) (int64, bool) {
	const (
		unknown = iota
		session
		table
		function
	)
	type value struct {
		kind int
		slot int64
	}
	regs := [16]value{x86asm.RDI - x86asm.RAX: {kind: session}}
	for pc := 0; pc < len(code); {
		in, err := x86asm.Decode(code[pc:], 64)
		if err != nil || in.Op == x86asm.RET || in.Op == x86asm.JMP {
			return 0, false
		}
		pc += in.Len
		if in.Op == x86asm.CALL {
			for i := range regs {
				if calleeSaved(i) < 0 {
					regs[i] = value{}
				}
			}
			continue
		}
		base := func(a x86asm.Mem) value {
			if i, wide, ok := regIndex(a.Base); ok && wide && a.Index == 0 && a.Segment == 0 {
				return regs[i]
			}
			return value{}
		}
		if to, ok := in.Args[0].(x86asm.Mem); ok && in.Op == x86asm.MOV {
			from, _ := in.Args[1].(x86asm.Reg)
			if i, wide, ok := regIndex(from); ok && wide && base(to).kind == session && regs[i].kind == function {
				return regs[i].slot, true
			}
			continue
		}
		to, _ := in.Args[0].(x86asm.Reg)
		i, wide, general := regIndex(to)
		if !general || in.Op == x86asm.PUSH || in.Op == x86asm.CMP || in.Op == x86asm.TEST {
			continue
		}
		var v value
		if in.Op == x86asm.MOV && wide {
			switch from := in.Args[1].(type) {
			case x86asm.Reg:
				if j, wide, ok := regIndex(from); ok && wide {
					v = regs[j]
				}
			case x86asm.Mem:
				switch base(from).kind {
				case session:
					v = value{kind: table}
				case table:
					v = value{kind: function, slot: displacement(from)}
				}
			}
		}
		regs[i] = v
	}
	return 0, false
}
