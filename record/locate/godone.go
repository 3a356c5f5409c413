package locate

import (
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// Functions that finish and its helpers know by name.
const (
	goCopy = "runtime.memmove"
	goSend = goTLS + "(*Conn).writeRecordLocked"
)

// goNoReturn are the checks of bounds (cmd/compile: ssagen.BoundsCheckFunc, and one for
// all since Go 1.26): what follows the call is another path's code.
var goNoReturn = []string{
	"runtime.panicBounds", "runtime.panicIndex", "runtime.panicIndexU",
	"runtime.panicSliceAlen", "runtime.panicSliceAlenU", "runtime.panicSliceAcap", "runtime.panicSliceAcapU",
	"runtime.panicSliceB", "runtime.panicSliceBU",
	"runtime.panicSlice3Alen", "runtime.panicSlice3AlenU", "runtime.panicSlice3Acap", "runtime.panicSlice3AcapU",
	"runtime.panicSlice3B", "runtime.panicSlice3BU", "runtime.panicSlice3C", "runtime.panicSlice3CU",
}

func goCalled() []string {
	return slices.Concat([]string{goCopy, goSend}, goDeferred, goNoReturn)
}

// finish sets Exit or Done, and takes the returns that it stands for off Rets, where the
// code proves that it can. Otherwise all returns remain, which costs two traps a call.
// push is goPush.
func (f *GoFunc) finish(insts []inst, name func(va uint64) string, push func(va uint64) uint64) {
	g := goGraph{insts: insts, called: func(in inst) string {
		if in.op != x86asm.CALL || in.target == 0 {
			return ""
		}
		return name(f.Entry + uint64(in.target))
	}}
	frame, ok := frameSize(insts)
	if !ok {
		return
	}
	done := -1
	switch f.Name {
	case "(*Conn).Read":
		if !f.Spilled || f.exits(g, frame, name, push) {
			return
		}
		done = g.copySite(frame)
	case "(*Conn).Write":
		done = g.sentSite()
	}
	if done < 0 {
		return
	}
	rets, ok := g.returnsAfter(done)
	if !ok {
		return
	}
	f.Done, f.Frame = f.Entry+uint64(insts[done].at), uint32(frame)
	f.leaveOut(rets)
}

// leaveOut takes returns, by their offsets, off Rets.
func (f *GoFunc) leaveOut(rets []int) {
	f.Rets = slices.DeleteFunc(f.Rets, func(va uint64) bool { return slices.Contains(rets, int(va-f.Entry)) })
}

// goGraph is a function's instructions with the ways between them.
type goGraph struct {
	insts  []inst
	called func(in inst) string // the known function that a direct call leads to
}

// frameSize returns how many bytes a function takes off the stack. It takes them
// once, at its beginning, and gives them back right before each return: in between
// the stack pointer stands still.
func frameSize(insts []inst) (n int, ok bool) {
	pushed := false
	for i, in := range insts {
		dst, _ := in.code.Args[0].(x86asm.Reg)
		takes := 0
		if by, ok := in.code.Args[1].(x86asm.Imm); ok && dst == x86asm.RSP {
			switch in.op {
			case x86asm.SUB:
				takes = int(by)
			case x86asm.ADD: // of -128: the shorter form
				takes = -int(by)
			}
		}
		switch {
		case in.op == x86asm.PUSH && !pushed && n == 0:
			pushed, n = true, 8
		case takes > 0 && (n == 0 || n == 8 && pushed):
			n += takes
		case in.op == x86asm.POP, takes < 0:
			for i++; i < len(insts) && insts[i].op == x86asm.NOP; i++ {
			}
			if i == len(insts) || insts[i].op != x86asm.POP && insts[i].op != x86asm.RET {
				return 0, false
			}
		case dst == x86asm.RSP && in.op != x86asm.CMP && in.op != x86asm.TEST, in.op == x86asm.PUSH,
			in.op == x86asm.LEAVE, in.op == x86asm.ENTER:
			return 0, false
		}
	}
	return n, n > 8
}

// index returns the instruction that begins at an offset, -1 for none.
func (g goGraph) index(at int) int {
	i, ok := slices.BinarySearchFunc(g.insts, at, func(in inst, at int) int { return in.at - at })
	if !ok {
		return -1
	}
	return i
}

// next lists what may follow instruction i. ok is false where that is not known.
func (g goGraph) next(i int) (to []int, ok bool) {
	in := g.insts[i]
	switch {
	case in.op == x86asm.RET, in.op == x86asm.UD2, in.op == x86asm.INT, slices.Contains(goNoReturn, g.called(in)):
		return nil, true
	case in.op == x86asm.JMP && !in.jump:
		return nil, false
	case in.jump:
		t := g.index(in.target)
		if t < 0 {
			return nil, false
		}
		to = append(to, t)
	}
	if in.op == x86asm.JMP {
		return to, true
	}
	if i+1 >= len(g.insts) {
		return to, in.op == x86asm.CALL // of what never returns
	}
	return append(to, i+1), true
}

// after marks what can be reached from instruction i, which is marked only if it can
// be reached again.
func (g goGraph) after(i int) (seen []bool, ok bool) {
	seen = make([]bool, len(g.insts))
	work := []int{i}
	for len(work) > 0 {
		to, ok := g.next(work[len(work)-1])
		if !ok {
			return nil, false
		}
		work = work[:len(work)-1]
		for _, t := range to {
			if !seen[t] {
				seen[t] = true
				work = append(work, t)
			}
		}
	}
	return seen, true
}

// emulated reports whether the kernel emulates in: a direct call or jump
// (arch/x86/kernel/uprobes.c: branch_setup_xol_ops).
func emulated(in inst) bool {
	switch in.op {
	case x86asm.JCXZ, x86asm.JECXZ, x86asm.JRCXZ, x86asm.LOOP, x86asm.LOOPE, x86asm.LOOPNE, x86asm.XBEGIN:
		return false
	}
	return in.jump || in.op == x86asm.CALL && in.target != 0
}

// copySite finds the only call of memmove, if its destination is the second
// argument, the caller's buffer, where Spilled says that it stays: the register is
// loaded from there and kept, and nothing jumps in between. The source is the
// connection's own buffer; that no more is copied than the caller has room for is
// looked at when it happens.
func (g goGraph) copySite(frame int) int {
	site := -1
	for i, in := range g.insts {
		if g.called(in) != goCopy {
			continue
		}
		if site >= 0 {
			return -1
		}
		site = i
	}
	for i := site - 1; i >= 0; i-- {
		in := g.insts[i]
		dst, _ := in.code.Args[0].(x86asm.Reg)
		if in.op == x86asm.MOV && dst == x86asm.RAX {
			from, _ := in.code.Args[1].(x86asm.Mem)
			if from.Base != x86asm.RSP || from.Index != 0 || from.Segment != 0 || from.Disp != int64(frame+8+8) || g.entered(i+1, site) {
				return -1
			}
			return site
		}
		_, toMemory := in.code.Args[0].(x86asm.Mem)
		keeps := in.op == x86asm.CMP || in.op == x86asm.TEST || in.op == x86asm.MOV && (toMemory || regNumber(dst) > 0) ||
			in.jump && in.op != x86asm.JMP
		if !keeps {
			return -1
		}
	}
	return -1
}

// regNumber numbers the 64-bit registers from 0 for RAX; -1 for the others, which
// may be parts of it.
func regNumber(r x86asm.Reg) int {
	if r < x86asm.RAX || r > x86asm.R15 {
		return -1
	}
	return int(r - x86asm.RAX)
}

// entered reports whether a jump leads to one of the instructions from i to j.
func (g goGraph) entered(i, j int) bool {
	return slices.ContainsFunc(g.insts, func(in inst) bool {
		return in.jump && in.target >= g.insts[i].at && in.target <= g.insts[j].at
	})
}

// sentSite finds the first emulated instruction behind the last call of
// writeRecordLocked: the one after which there is none. (TLS 1.0 sends one byte first.)
func (g goGraph) sentSite() int {
	site := -1
	for i, in := range g.insts {
		if g.called(in) != goSend {
			continue
		}
		seen, ok := g.after(i)
		if !ok {
			return -1
		}
		last := true
		for j, in := range g.insts {
			last = last && !(seen[j] && g.called(in) == goSend)
		}
		if !last {
			continue
		}
		if site >= 0 {
			return -1
		}
		for site = i + 1; site < len(g.insts) && !emulated(g.insts[site]); site++ {
			if g.insts[site].op == x86asm.RET || g.insts[site].op == x86asm.JMP || g.insts[site].op == x86asm.CALL {
				return -1
			}
		}
		if site == len(g.insts) || g.entered(i+1, site) {
			return -1
		}
	}
	return site
}

// returnsAfter lists the offsets of the returns that can be reached from site. ok
// says that no other way leads to them, and that site is passed once: what comes
// from elsewhere joins right behind site, where no error is on its way to the caller
// yet. (bytes.Reader, inlined, has ways around its copy: nothing left, which
// (*Conn).Read has looked at before, and source and destination the same.)
func (g goGraph) returnsAfter(site int) (rets []int, ok bool) {
	seen, ok := g.after(site)
	if !ok || seen[site] {
		return nil, false
	}
	joins := site // the last instruction in a line with site
	for joins+1 < len(g.insts) && !g.insts[joins].jump && g.insts[joins].op != x86asm.RET {
		joins++
	}
	for i, in := range g.insts {
		if seen[i] && in.op == x86asm.RET {
			rets = append(rets, in.at)
		}
		if seen[i] || i == site {
			continue
		}
		to, ok := g.next(i)
		if !ok {
			return nil, false
		}
		for _, t := range to {
			if seen[t] && (t <= site || t > joins) {
				return nil, false
			}
		}
	}
	return rets, len(rets) > 0
}
