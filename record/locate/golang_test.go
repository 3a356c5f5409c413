package locate

import (
	"bytes"
	"crypto/tls"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// TestGoTLSItself: the test program is a Go program with crypto/tls, and the
// runtime knows where its functions are.
func TestGoTLSItself(t *testing.T) {
	if runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		t.Skip("SKIP: needs linux/amd64")
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, e := open(t, path)
	funcs, err := GoTLS(e, f)
	if err != nil {
		t.Fatal(err)
	}
	for name, method := range map[string]any{"(*Conn).Read": (*tls.Conn).Read, "(*Conn).Write": (*tls.Conn).Write, "(*Conn).Close": (*tls.Conn).Close} {
		i := slices.IndexFunc(funcs, func(f GoFunc) bool { return f.Name == name })
		if i < 0 {
			t.Errorf("%s: not found", name)
			continue
		}
		want := reflect.ValueOf(method).Pointer()
		if e.Type == elf.ET_EXEC && funcs[i].Entry != uint64(want) {
			t.Errorf("%s: at %#x, want %#x", name, funcs[i].Entry, want)
		}
		checkFunc(t, e, f, funcs[i])
	}
}

// checkFunc checks a function's places against its code.
func checkFunc(t *testing.T, e *elf.File, f *os.File, g GoFunc) {
	t.Helper()
	for _, ret := range g.Rets {
		if code := codeAt(e, f, ret, ret+1); len(code) != 1 || code[0] != 0xc3 {
			t.Errorf("%s: no return at %#x", g.Name, ret)
		}
	}
	in, err := x86asm.Decode(codeAt(e, f, g.Site, g.Site+16), 64)
	if err != nil || g.Jump != (in.Op == x86asm.JBE) || !g.Jump && in.Op != x86asm.PUSH {
		t.Errorf("%s: %v at the place for the entry probe, Jump %v", g.Name, in, g.Jump)
	}
	if g.Name == "(*Conn).Read" && !g.Spilled {
		t.Errorf("%s: its arguments are said not to stay on the stack", g.Name)
	}
}

// checkDone: in every version that is tested, a call that succeeds is seen without a
// return probe: a read at what it defers, or at the copy that is runtime.memmove's.
func checkDone(t *testing.T, e *elf.File, f *os.File, g GoFunc, memmove uint64) {
	t.Helper()
	if g.Name != "(*Conn).Read" && g.Name != "(*Conn).Write" {
		if g.Done != 0 {
			t.Errorf("%s: has a place that stands for its returns", g.Name)
		}
		return
	}
	if g.Exit != 0 { // of Go 1.21 and newer
		in, err := x86asm.Decode(codeAt(e, f, g.Exit, g.Exit+16), 64)
		if err != nil || in.Op != x86asm.PUSH || g.Done != 0 || g.Name != "(*Conn).Read" {
			t.Errorf("%s: %v (%v) before it ends; done at %#x", g.Name, in, err, g.Done)
		}
		return
	}
	in, err := x86asm.Decode(codeAt(e, f, g.Done, g.Done+16), 64)
	if err != nil {
		t.Errorf("%s: no place that stands for its returns: %v", g.Name, err)
		return
	}
	rel, ok := in.Args[0].(x86asm.Rel)
	if !ok {
		t.Errorf("%s: %v is not emulated", g.Name, in)
	}
	if to := g.Done + uint64(in.Len) + uint64(rel); g.Name == "(*Conn).Read" && to != memmove {
		t.Errorf("%s: %v leads to %#x, want runtime.memmove at %#x", g.Name, in, to, memmove)
	}
}

func open(t *testing.T, path string) (*os.File, *elf.File) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	e, err := elf.NewFile(f)
	if err != nil {
		t.Fatal(err)
	}
	return f, e
}

// goProgram is one that does TLS on both sides.
const goProgram = "package main\n\nimport \"crypto/tls\"\n\nfunc main() {\n\tc, err := tls.Dial(\"tcp\", \"\", nil)\n\tif err == nil {\n\t\tc.Close()\n\t}\n\tl, _ := tls.Listen(\"tcp\", \"\", nil)\n\ts, _ := l.Accept()\n\ts.Read(nil)\n\ts.Write(nil)\n}\n"

// TestGoTLSBuilds: what is found in a stripped program is where the symbols of the
// same program, not stripped, say; for every way of linking.
func TestGoTLSBuilds(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("SKIP: no go command")
	}
	tests := []struct {
		name, goCmd, goamd64 string
		args                 []string
		cgo                  bool
	}{
		{"exe", "go", "v1", nil, false},
		{"pie", "go", "v1", []string{"-buildmode=pie"}, false},
		{"vex", "go", "v3", nil, false},
		{"linked by C", "go", "v1", []string{"-buildmode=pie"}, true},
		{"go1.19", "/usr/lib/go-1.19/bin/go", "v1", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := exec.LookPath(tt.goCmd); err != nil {
				t.Skipf("SKIP: %s is not installed (run .ci/setup)", tt.goCmd)
			}
			if _, err := exec.LookPath("gcc"); err != nil && tt.cgo {
				t.Skip("SKIP: no gcc")
			}
			dir := t.TempDir()
			os.WriteFile(filepath.Join(dir, "main.go"), []byte(goProgram), 0o644)
			os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module m\n\ngo 1.17\n"), 0o644)
			build := func(out, ldflags string) (*os.File, *elf.File) {
				cgo := "CGO_ENABLED=0"
				if tt.cgo {
					cgo, ldflags = "CGO_ENABLED=1", ldflags+" -linkmode=external"
				}
				cmd := exec.Command(tt.goCmd, append([]string{"build", "-ldflags", ldflags, "-o", out}, tt.args...)...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), cgo, "GOAMD64="+tt.goamd64, "GOFLAGS=-mod=mod", "GOTOOLCHAIN=local", "GOROOT=", "GOOS=linux", "GOARCH=amd64")
				if b, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, b)
				}
				return open(t, filepath.Join(dir, out))
			}
			f, e := build("stripped", "-s -w")
			funcs, err := GoTLS(e, f)
			if err != nil {
				t.Fatal(err)
			}
			_, whole := build("whole", "")
			syms, err := whole.Symbols()
			if err != nil {
				t.Fatal(err)
			}
			at := map[string]uint64{}
			for _, s := range syms {
				at[s.Name] = s.Value
			}
			if len(funcs) < 5 {
				t.Errorf("only %d functions found", len(funcs))
			}
			// The C linker may shift everything by what the symbols take elsewhere.
			shift := funcs[0].Entry - at[goTLS+funcs[0].Name]
			if !tt.cgo && shift != 0 {
				t.Errorf("%s: at %#x, want %#x", funcs[0].Name, funcs[0].Entry, at[goTLS+funcs[0].Name])
			}
			for _, g := range funcs {
				if g.Entry-shift != at[goTLS+g.Name] {
					t.Errorf("%s: at %#x, want %#x", g.Name, g.Entry-shift, at[goTLS+g.Name])
				}
				checkFunc(t, e, f, g)
				checkDone(t, e, f, g, at[goCopy]+shift)
				if newer := tt.goCmd == "go"; g.Name == "(*Conn).Read" && newer != (g.Exit != 0) {
					t.Errorf("what %s defers: at %#x", g.Name, g.Exit)
				}
			}
		})
	}
}

// goCode is a function as Go compiles one: the look at the stack, a frame, the
// arguments put away, and a return.
var goCode = []byte("\x49\x3b\x66\x10\x76\x1d\x55\x48\x89\xe5\x48\x83\xec\x10" + // cmp, jbe +1d, push, mov, sub $16
	"\x48\x89\x44\x24\x20\x48\x89\x5c\x24\x28\x48\x89\x4c\x24\x30" + // rax, rbx, rcx into the caller's room
	"\x48\x83\xc4\x10\x5d\xc3\xeb\xfe") // add, pop, ret, jmp .

// fakeGo is a program with the two functions that must be there.
type fakeGo struct {
	magic uint32
	code  []byte
	lead  int      // C code before Go's
	names []string // default: the two
	cut   int      // bytes off the table
	spoil func(table []byte)
}

func (g fakeGo) bytes() []byte {
	le := binary.LittleEndian
	names := g.names
	if names == nil {
		names = []string{"crypto/tls.(*Conn).Read", "crypto/tls.(*Conn).Write"}
	}
	size := (len(g.code) + 31) &^ 31
	text := bytes.Repeat([]byte{0xcc}, g.lead+size*len(names))
	tab := le.AppendUint32(nil, g.magic)
	tab = append(tab, 0, 0, 1, 8)
	nameTab := []byte{0}
	var funcTab, descs []byte
	descAt := uint32(8*len(names) + 4)
	for i, n := range names {
		copy(text[g.lead+i*size:], g.code)
		funcTab = le.AppendUint32(le.AppendUint32(funcTab, uint32(i*size)), descAt+uint32(len(descs)))
		descs = le.AppendUint32(le.AppendUint32(descs, uint32(i*size)), uint32(len(nameTab)))
		nameTab = append(append(nameTab, n...), 0)
	}
	funcTab = le.AppendUint32(funcTab, uint32(len(text)-g.lead))
	const head = 72
	for _, v := range []int{len(names), 0, 0, head, head + len(nameTab), 0, 0, head + len(nameTab)} {
		tab = le.AppendUint64(tab, uint64(v))
	}
	tab = append(append(append(tab, nameTab...), funcTab...), descs...)
	if g.spoil != nil {
		g.spoil(tab)
	}
	return makeELF(section{".text", text, 0x401000, true}, section{".gopclntab", tab[:len(tab)-g.cut], 0x800000, false})
}

func TestGoTLSRules(t *testing.T) {
	swap := func(old, by string) []byte { return bytes.Replace(goCode, []byte(old), []byte(by), 1) }
	tests := []struct {
		name string
		fake fakeGo
		want error
		text string
	}{
		{"as it is", fakeGo{magic: magic120, code: goCode}, nil, ""},
		{"behind C code", fakeGo{magic: magic118, code: goCode, lead: 4096 + 48}, nil, ""},
		{"version of tomorrow", fakeGo{magic: 0xffffffe0, code: goCode}, ErrUncertain, "version"},
		{"no crypto/tls", fakeGo{magic: magic120, code: goCode, names: []string{"main.main"}}, ErrAbsent, ""},
		{"no Write", fakeGo{magic: magic120, code: goCode, names: []string{"crypto/tls.(*Conn).Read", "x"}}, ErrUncertain, "Write"},
		{"listed twice", fakeGo{magic: magic120, code: goCode, names: []string{"crypto/tls.(*Conn).Read", "crypto/tls.(*Conn).Write"}, spoil: func(b []byte) {
			// The second description names the first function.
			i := bytes.LastIndex(b, []byte{25, 0, 0, 0})
			b[i] = 1
		}}, ErrUncertain, "twice"},
		{"convention before Go 1.17", fakeGo{magic: magic120, code: swap("\x49\x3b\x66\x10", "\x48\x3b\x61\x10")}, ErrUncertain, "0 places fit"},
		{"jump into an instruction", fakeGo{magic: magic120, code: swap("\xeb\xfe", "\xeb\xe0")}, ErrUncertain, "leads into an instruction"},
		{"unknown instruction", fakeGo{magic: magic120, code: swap("\x48\x83\xc4\x10", "\x06\x06\x06\x06")}, ErrUncertain, "unknown instruction"},
		{"no return", fakeGo{magic: magic120, code: swap("\xc3", "\x90")}, ErrUncertain, "never returns"},
		{"no push and no jump", fakeGo{magic: magic120, code: swap("\x76\x1d", "\x90\x90")}, ErrUncertain, "no place"},
		{"cut table", fakeGo{magic: magic120, code: goCode, cut: 8}, ErrUncertain, "cut"},
		{"parts outside", fakeGo{magic: magic120, code: goCode, spoil: func(b []byte) { b[8+3*8+3] = 9 }}, ErrUncertain, "outside"},
		{"too many functions", fakeGo{magic: magic120, code: goCode, spoil: func(b []byte) { b[8+7] = 9 }}, ErrUncertain, "outside"},
	}
	for _, tt := range tests {
		b := tt.fake.bytes()
		funcs, err := GoTLS(parse(t, b), bytes.NewReader(b))
		if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v, want %v with %q", tt.name, err, tt.want, tt.text)
		}
		if tt.want != nil {
			continue
		}
		if len(funcs) != 2 || funcs[0].Entry != 0x401000+uint64(tt.fake.lead) || !funcs[0].Spilled || funcs[0].Site != funcs[0].Entry+6 || len(funcs[0].Rets) != 1 {
			t.Errorf("%s: %+v", tt.name, funcs)
		}
	}
}

// TestSpilled: arguments that do not stay where they were put are not taken from there.
func TestSpilled(t *testing.T) {
	for name, code := range map[string][]byte{
		"overwritten by another register": append(slices.Clone(goCode[:29]), "\x48\x89\x54\x24\x28\xc3"...), // mov %rdx,0x28(%rsp)
		"overwritten by a vector":         append(slices.Clone(goCode[:29]), "\x0f\x11\x44\x24\x18\xc3"...), // movups %xmm0,0x18(%rsp)
		"only two":                        append(slices.Clone(goCode[:24]), 0xc3),
		"another frame":                   append([]byte("\x55\x48\x83\xec\x18"), append(slices.Clone(goCode[14:29]), 0xc3)...),
	} {
		insts, err := disassemble(code)
		if err != nil {
			t.Fatal(err)
		}
		if spilled(insts) {
			t.Errorf("%s: taken for safe", name)
		}
	}
}

func TestVexLen(t *testing.T) {
	for code, want := range map[string]int{
		"\xc5\xf8\x77\x90":                         3, // vzeroupper
		"\xc4\xe2\xf9\xf7\xc2":                     5, // shlx
		"\xc4\xe3\xfd\x00\xc0\x4e":                 6, // vpermq with an immediate
		"\xc5\xfd\x6f\x44\x24\x20":                 6, // vmovdqa with a SIB byte and a short displacement
		"\xc5\xfd\x6f\x05\x00\x00\x00\x00":         8, // relative to the instruction pointer
		"\xc5\xfd\x6f\x84\x24\x00\x01\x00\x00\x90": 9,
		"\xc5\xfd\x6f":                             0, // cut
		"\x90\x90\x90\x90":                         0,
		"\xc4\xe0\xf9\xf7\xc2":                     0, // no such map
	} {
		if got := vexLen([]byte(code)); got != want {
			t.Errorf("% x: %d bytes, want %d", code, got, want)
		}
	}
}

// FuzzGoTLS: a program may hold anything; an answer keeps its promises or is an error.
func FuzzGoTLS(f *testing.F) {
	f.Add(fakeGo{magic: magic120, code: goCode}.bytes())
	f.Add(fakeGo{magic: magic118, code: goCode, lead: 64}.bytes())
	f.Add(fakeGo{magic: magic116, code: goCode}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			return
		}
		funcs, err := GoTLS(e, bytes.NewReader(b))
		if err != nil && !errors.Is(err, ErrAbsent) && !errors.Is(err, ErrUncertain) {
			t.Fatalf("error of another kind: %v", err)
		}
		for _, g := range funcs {
			for _, ret := range g.Rets {
				if code := codeAt(e, bytes.NewReader(b), ret, ret+1); len(code) != 1 || code[0] != 0xc3 && code[0] != 0xc2 {
					t.Fatalf("%s: % x is no return", g.Name, code)
				}
			}
		}
	})
}
