package locate

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// buildGo builds goProgram with a go command as that does by itself, and returns its path.
func buildGo(t *testing.T, command string) string {
	t.Helper()
	if _, err := exec.LookPath(command); err != nil {
		t.Skipf("SKIP: there is no %s (run .ci/setup)", command)
	}
	dir := t.TempDir()
	source, path := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := errors.Join(os.WriteFile(source, []byte(goProgram), 0o644),
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module m\n\ngo 1.17\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command, "build", "-o", path)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOTOOLCHAIN=local", "GOROOT=", "GOOS=linux", "GOARCH=amd64")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return path
}

// builtGo is a program whose functions can be changed before they are looked at. It is
// one that was built for it: what the race detector adds to the test program itself is
// not what is proved.
type builtGo struct {
	f           *os.File
	e           *elf.File
	list        listing
	base        uint64
	read, write GoFunc
}

func newBuiltGo(t *testing.T, command string) *builtGo {
	t.Helper()
	if runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		t.Skip("SKIP: needs linux/amd64")
	}
	b := &builtGo{}
	b.f, b.e = open(t, buildGo(t, command))
	funcs, err := GoTLS(b.e, b.f)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := openPclntab(b.e, b.f)
	if err != nil {
		t.Fatal(err)
	}
	if b.list, err = tab.find([]string{goTLS + "(*Conn).Read", goTLS + "(*Conn).Write"}, goCalled()); err != nil {
		t.Fatal(err)
	}
	b.read, b.write = funcs[0], funcs[1]
	b.base = b.read.Entry - b.list.spans[goTLS+b.read.Name].start
	return b
}

func (b *builtGo) name(va uint64) string { return b.list.calls[va-b.base] }

func (b *builtGo) push(va uint64) uint64 { return goPush(b.e, b.f, va) }

// finished returns the function as found in code that change was made to.
func (b *builtGo) finished(t *testing.T, f GoFunc, change func(code []byte, insts []inst)) GoFunc {
	t.Helper()
	s := b.list.spans[goTLS+f.Name]
	code := codeAt(b.e, b.f, b.base+s.start, b.base+s.end)
	insts, err := disassemble(code)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(code, insts)
		if insts, err = disassemble(code); err != nil {
			t.Fatalf("changed code: %v", err)
		}
	}
	g := GoFunc{Name: f.Name, Entry: f.Entry, Spilled: spilled(insts)}
	for _, in := range insts {
		if in.op == x86asm.RET {
			g.Rets = append(g.Rets, f.Entry+uint64(in.at))
		}
	}
	g.finish(insts, b.name, b.push)
	return g
}

// aim makes the direct call or jump with four bytes of distance go to another offset.
func aim(code []byte, in inst, to int) {
	binary.LittleEndian.PutUint32(code[in.at+in.len-4:], uint32(to-in.at-in.len))
}

// change is one thing that makes a function differ from what is proved.
type change struct {
	name string
	do   func(code []byte, insts []inst)
}

// refuse checks that a function is proved as it is, and with each change no more.
func (b *builtGo) refuse(t *testing.T, f GoFunc, place func(GoFunc) uint64, changes []change) {
	t.Helper()
	if place(f) == 0 || len(f.Rets) == 0 {
		t.Fatalf("%s: not proved in this Go's own code", f.Name)
	}
	if g := b.finished(t, f, nil); place(g) != place(f) || !slices.Equal(g.Rets, f.Rets) {
		t.Fatalf("%s: %+v, want %+v", f.Name, g, f)
	}
	for _, c := range changes {
		if g := b.finished(t, f, c.do); place(g) != 0 {
			t.Errorf("%s, %s: taken for proved", f.Name, c.name)
		}
	}
}

func doneOf(f GoFunc) uint64 { return f.Done }

func exitOf(f GoFunc) uint64 { return f.Exit }

// siteOf is the index of Done.
func siteOf(insts []inst, f GoFunc) int { return goGraph{insts: insts}.index(int(f.Done - f.Entry)) }

// TestGoWriteRefusals: code that differs from what is proved by one thing keeps all its
// returns.
func TestGoWriteRefusals(t *testing.T) {
	b := newBuiltGo(t, "go")
	b.refuse(t, b.write, doneOf, []change{
		{"the stack pointer moves", func(code []byte, insts []inst) {
			for _, in := range insts[siteOf(insts, b.write):] {
				if in.op == x86asm.TEST && in.len == 3 {
					copy(code[in.at:], "\x54\x5c\x90") // push %rsp; pop %rsp
					return
				}
			}
		}},
		{"sent by another function", func(code []byte, insts []inst) {
			for _, in := range insts {
				if in.op == x86asm.CALL && in.target != 0 && b.name(b.write.Entry+uint64(in.target)) == goSend {
					aim(code, in, in.target+32)
				}
			}
		}},
		{"a failure joins the way of success", func(code []byte, insts []inst) {
			var ret inst
			for _, in := range insts {
				if in.op == x86asm.RET && in.at > insts[siteOf(insts, b.write)].at {
					ret = in
					break
				}
			}
			for _, in := range insts {
				if in.jump && in.len == 6 && in.op == x86asm.JNE {
					aim(code, in, ret.at)
					return
				}
			}
		}},
	})
}

// TestGoCopyRefusals: the same of the copy of a read, which is the place of versions
// whose deferred functions begin without a push.
func TestGoCopyRefusals(t *testing.T) {
	b := newBuiltGo(t, "/usr/lib/go-1.19/bin/go")
	b.refuse(t, b.read, doneOf, []change{
		{"destination from another slot", func(code []byte, insts []inst) {
			for i := siteOf(insts, b.read); ; i-- {
				if insts[i].op == x86asm.MOV && insts[i].code.Args[0] == x86asm.Arg(x86asm.RAX) {
					code[insts[i].at+insts[i].len-1] += 8
					return
				}
			}
		}},
		{"destination changed after its load", func(code []byte, insts []inst) {
			for i := siteOf(insts, b.read); ; i-- {
				if insts[i].op == x86asm.CMP { // cmp rax, rbx becomes add rax, rbx
					copy(code[insts[i].at:], "\x48\x01\xd8")
					return
				}
			}
		}},
		{"call of something else", func(code []byte, insts []inst) {
			i := siteOf(insts, b.read)
			aim(code, insts[i], insts[i].target+64)
		}},
		{"copied twice", func(code []byte, insts []inst) {
			i := siteOf(insts, b.read)
			for _, in := range insts {
				if in.op == x86asm.CALL && in.target != 0 {
					aim(code, in, insts[i].target)
					return
				}
			}
		}},
		{"an error joins the way of success", func(code []byte, insts []inst) {
			last := insts[siteOf(insts, b.read)]
			for _, in := range insts {
				if in.jump && in.len == 6 && in.op == x86asm.JNE { // the handshake's error
					for _, to := range insts {
						if to.op == x86asm.RET && to.at > last.at {
							aim(code, in, to.at)
							return
						}
					}
				}
			}
		}},
		{"arguments overwritten", func(code []byte, insts []inst) {
			frame, _ := frameSize(insts)
			for _, in := range insts {
				if in.store.to == frame+8+8 {
					code[in.at+1] = 0x89
					code[in.at+2] = 0x54 // mov %rdx instead of %rbx
				}
			}
		}},
	})
}

// TestGoExitRefusals: the same of what a read defers.
func TestGoExitRefusals(t *testing.T) {
	b := newBuiltGo(t, "go")
	// each calls do with the instructions that match until it says that it is done.
	each := func(insts []inst, match func(i int, in inst) bool, do func(i int, in inst) bool) {
		for i, in := range insts {
			if match(i, in) && do(i, in) {
				return
			}
		}
		t.Fatal("there is nothing to change")
	}
	callsRegister := func(_ int, in inst) bool { _, reg := in.code.Args[0].(x86asm.Reg); return in.op == x86asm.CALL && reg }
	result := int(b.read.Result) - 8
	closure := func(insts []inst) (slot int) {
		each(insts, callsRegister, func(i int, _ inst) bool {
			slot, _ = goGraph{insts: insts}.calledFrom(i)
			return true
		})
		return slot
	}
	b.refuse(t, b.read, exitOf, []change{
		{"another function", func(code []byte, insts []inst) {
			at := closure(insts)
			each(insts, func(i int, in inst) bool { return in.store.to >= 0 && in.store.to < at && insts[i-1].op == x86asm.LEA }, func(i int, _ inst) bool {
				code[insts[i-1].at+3] += 64
				return true
			})
		}},
		{"another closure at one return", func(code []byte, insts []inst) {
			each(insts, callsRegister, func(i int, _ inst) bool {
				_, load := goGraph{insts: insts}.calledFrom(i)
				code[insts[load].at+4] -= 8
				return true
			})
		}},
		{"another result at one return", func(code []byte, insts []inst) {
			each(insts, callsRegister, func(i int, _ inst) bool {
				for i++; insts[i].code.Args[0] != x86asm.Arg(x86asm.RAX); i++ {
				}
				code[insts[i].at+4] += 8
				return true
			})
		}},
		{"result not stored before one call", func(code []byte, insts []inst) {
			each(insts, callsRegister, func(i int, _ inst) bool {
				for i--; insts[i].store.to != result; i-- {
				}
				code[insts[i].at+4] += 8
				return true
			})
		}},
		{"a way to a return without the call", func(code []byte, insts []inst) {
			var behind inst
			each(insts, callsRegister, func(i int, _ inst) bool { behind = insts[i+1]; return true })
			each(insts, func(_ int, in inst) bool { return in.jump && in.len == 6 && in.op == x86asm.JNE }, func(_ int, in inst) bool {
				aim(code, in, behind.at)
				return true
			})
		}},
		{"the closure's slot used for something else", func(code []byte, insts []inst) {
			at := closure(insts)
			each(insts, func(_ int, in inst) bool { return in.store.to == result && in.store.from != 0 }, func(_ int, in inst) bool {
				code[in.at+4] = byte(at)
				return true
			})
		}},
		{"the closure's address in other hands", func(code []byte, insts []inst) {
			at := closure(insts)
			var made byte
			each(insts, func(i int, in inst) bool { return in.store.to == at && in.store.from != 0 }, func(i int, _ inst) bool {
				made = code[insts[i-1].at+4]
				return true
			})
			each(insts, func(_ int, in inst) bool {
				return in.op == x86asm.MOV && in.len == 5 && in.code.Args[0] == x86asm.Arg(x86asm.RAX) && slotOf(in.code.Args[1]) > 0
			}, func(_ int, in inst) bool {
				code[in.at+1], code[in.at+4] = 0x8d, made // lea
				return true
			})
		}},
		{"a call of what the register holds", func(code []byte, insts []inst) {
			each(insts, callsRegister, func(i int, _ inst) bool {
				copy(code[insts[i-1].at:], "\x90\x90\x90") // not loaded
				return true
			})
		}},
	})
}
