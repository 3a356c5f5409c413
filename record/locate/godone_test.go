package locate

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// buildGo builds goProgram as the go command does by itself, and returns its path.
func buildGo(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("SKIP: no go command")
	}
	dir := t.TempDir()
	source, path := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte(goProgram), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", path, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS=linux", "GOARCH=amd64")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return path
}

// TestGoDoneRefusals: code that differs from what is proved by one thing keeps all its
// returns. The code is that of a program built for it: what the race detector adds to
// the test program itself is not what is proved.
func TestGoDoneRefusals(t *testing.T) {
	if runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		t.Skip("SKIP: needs linux/amd64")
	}
	path := buildGo(t)
	f, e := open(t, path)
	funcs, err := GoTLS(e, f)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := openPclntab(e, f)
	if err != nil {
		t.Fatal(err)
	}
	list, err := tab.find([]string{goTLS + "(*Conn).Read", goTLS + "(*Conn).Write"}, goCalled())
	if err != nil {
		t.Fatal(err)
	}
	read, write := funcs[0], funcs[1]
	base := read.Entry - list.spans[goTLS+read.Name].start
	name := func(va uint64) string { return list.calls[va-base] }
	// finished returns the function as found in code that change was made to.
	finished := func(f GoFunc, change func(code []byte, insts []inst)) GoFunc {
		t.Helper()
		s := list.spans[goTLS+f.Name]
		code := codeAt(e, open1(t, path), base+s.start, base+s.end)
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
		g.finish(insts, name)
		return g
	}
	for _, f := range []GoFunc{read, write} {
		if f.Done == 0 || len(f.Rets) == 0 {
			t.Fatalf("%s: not proved in this Go's own code", f.Name)
		}
		if g := finished(f, nil); g.Done != f.Done || !slices.Equal(g.Rets, f.Rets) {
			t.Fatalf("%s: %+v, want %+v", f.Name, g, f)
		}
	}
	site := func(insts []inst, f GoFunc) int {
		return goGraph{insts: insts}.index(int(f.Done - f.Entry))
	}
	// aim makes the direct call or jump with four bytes of distance go to another offset.
	aim := func(code []byte, in inst, to int) {
		binary.LittleEndian.PutUint32(code[in.at+in.len-4:], uint32(to-in.at-in.len))
	}
	tests := []struct {
		name   string
		of     GoFunc
		change func(code []byte, insts []inst)
	}{
		{"destination from another slot", read, func(code []byte, insts []inst) {
			for i := site(insts, read); ; i-- {
				if insts[i].op == x86asm.MOV && insts[i].code.Args[0] == x86asm.Arg(x86asm.RAX) {
					code[insts[i].at+insts[i].len-1] += 8
					return
				}
			}
		}},
		{"destination changed after its load", read, func(code []byte, insts []inst) {
			for i := site(insts, read); ; i-- {
				if insts[i].op == x86asm.CMP { // cmp rax, rbx becomes add rax, rbx
					copy(code[insts[i].at:], "\x48\x01\xd8")
					return
				}
			}
		}},
		{"call of something else", read, func(code []byte, insts []inst) {
			i := site(insts, read)
			aim(code, insts[i], insts[i].target+64)
		}},
		{"copied twice", read, func(code []byte, insts []inst) {
			i := site(insts, read)
			for _, in := range insts {
				if in.op == x86asm.CALL && in.target != 0 {
					aim(code, in, insts[i].target)
					return
				}
			}
		}},
		{"an error joins the way of success", read, func(code []byte, insts []inst) {
			last := insts[site(insts, read)]
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
		{"arguments overwritten", read, func(code []byte, insts []inst) {
			frame, _ := frameSize(insts)
			for _, in := range insts {
				if in.store.to == frame+8+8 {
					code[in.at+1] = 0x89
					code[in.at+2] = 0x54 // mov %rdx instead of %rbx
				}
			}
		}},
		{"the stack pointer moves", write, func(code []byte, insts []inst) {
			for _, in := range insts[site(insts, write):] {
				if in.op == x86asm.TEST && in.len == 3 {
					copy(code[in.at:], "\x54\x5c\x90") // push %rsp; pop %rsp
					return
				}
			}
		}},
		{"sent by another function", write, func(code []byte, insts []inst) {
			for _, in := range insts {
				if in.op == x86asm.CALL && in.target != 0 && name(write.Entry+uint64(in.target)) == goSend {
					aim(code, in, in.target+32)
				}
			}
		}},
		{"a failure joins the way of success", write, func(code []byte, insts []inst) {
			var ret inst
			for _, in := range insts {
				if in.op == x86asm.RET && in.at > insts[site(insts, write)].at {
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
	}
	for _, tt := range tests {
		if g := finished(tt.of, tt.change); g.Done != 0 {
			t.Errorf("%s: taken for proved", tt.name)
		}
	}
}

func open1(t *testing.T, path string) *os.File {
	f, _ := open(t, path)
	return f
}
