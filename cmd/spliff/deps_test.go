package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/NoFear0411/spliff"

// importRule is one row of the import table. Pkg is a folder of the module and
// holds for the folders below it, unless one has a row of its own.
type importRule struct {
	pkg   string
	own   []string // folders of this module it may import
	other []string // import paths outside the standard library, by prefix
	never []string // of the standard library
	why   string
}

// importTable is the architecture as a test. To change a row, change its why.
func importTable() []importRule {
	pure := []string{"os", "os/exec", "net", "net/http", "net/http/httputil", "log", "log/slog", "sync", "sync/atomic", "time", "math/rand", "math/rand/v2", "context"}
	return []importRule{
		{
			pkg: "format", own: nil,
			other: []string{"github.com/klauspost/compress", "github.com/cespare/xxhash/v2"},
			never: []string{"os", "os/exec", "net", "net/http", "log", "log/slog"},
			why:   "a session is read from any io.Reader on any system: no paths, no HTTP, no kernel",
		},
		{
			pkg: "format/disk", own: nil,
			other: []string{"golang.org/x/sys"},
			never: []string{"os/exec", "net", "net/http", "log", "log/slog"},
			why:   "files, clocks and what can go wrong with them are here so that format needs none of it; what a unit holds is nothing to a disk",
		},
		{
			pkg: "format/sealed", own: nil,
			other: []string{"filippo.io/age", "golang.org/x/crypto"},
			never: []string{"os", "os/exec", "net", "net/http", "log", "log/slog", "time"},
			why:   "encryption is a layer of bytes: it takes keys and readers, opens no file, and knows nothing of events",
		},
		{
			pkg: "format/conformance", own: nil, other: nil,
			why: "nothing but tests: the files that say what a reader must do are made without the writer they check",
		},
		{
			pkg: "format/eventjson", own: []string{"format"}, other: nil,
			never: []string{"os", "os/exec", "net", "net/http", "log", "log/slog"},
			why:   "the text form is a second spelling of events: it knows no file, no decoder, and no compression but gzip of text",
		},
		{
			pkg: "decode", own: []string{"decode"},
			other: []string{"golang.org/x/net/http2/hpack", "github.com/klauspost/compress", "github.com/andybalholm/brotli", "github.com/gabriel-vasile/mimetype", "golang.org/x/text/encoding"},
			never: pure,
			why:   "a decoder is a function of its bytes: no clock, no lock, no file, no goroutine, and sessions know nothing of it; codings, file types and character sets are libraries' work",
		},
		{
			pkg: "decode/decodetest", own: []string{"decode"}, other: []string{"github.com/google/go-cmp"},
			never: []string{"os/exec", "net", "net/http", "log", "log/slog", "sync"},
			why:   "the decoders' tests read the shared cases from disk and bound the time each takes; it serves tests only, and sees no session and no engine",
		},
		{
			pkg: "bpf", own: nil,
			other: []string{"github.com/cilium/ebpf"},
			never: []string{"os", "net", "log", "time"},
			why:   "the kernel side copies and counts: policy is record's",
		},
		{
			pkg: "record", own: []string{"bpf", "format", "record"},
			other: []string{"github.com/cilium/ebpf", "golang.org/x/sys", "golang.org/x/arch"},
			never: []string{"net/http", "log", "log/slog", "compress/gzip"},
			why:   "what runs as root copies bytes and parses none of them",
		},
		{
			pkg: "record/bench", own: []string{"record"},
			other: []string{"github.com/cilium/ebpf", "golang.org/x/sys"},
			never: []string{"net/http", "log", "log/slog"},
			why:   "the benchmark starts what it measures, the built spliff too, and reads of it what any user can",
		},
		{
			pkg: "record/bench/goserver", own: nil, other: nil,
			why: "a program like any other, to be recorded: the standard library's HTTP and TLS are what it is there for",
		},
		{
			pkg: "record/locate", own: nil,
			other: []string{"golang.org/x/arch"},
			never: []string{"os", "os/exec", "net", "net/http", "log", "log/slog"},
			why:   "finding functions is a question about bytes of a hostile file: it opens none, and probes are record's",
		},
		{
			pkg: "replay", own: []string{"format", "decode"}, other: nil,
			never: []string{"os", "os/exec", "net", "net/http", "log", "log/slog"},
			why:   "the engine is pure: what it says is a function of the events alone",
		},
		{
			pkg: "export", own: []string{"decode", "replay", "format", "export"},
			other: []string{"github.com/google/gopacket"},
			never: []string{"os", "os/exec", "net/http", "log", "log/slog"},
			why:   "an exporter writes to the io.Writer it is given; files and stdout are the command's",
		},
		{
			pkg: "cmd/spliff", own: []string{"record", "replay", "format", "decode", "export"},
			other: []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term", "golang.org/x/sys"},
			never: []string{"net", "net/http", "log", "log/slog"},
			why:   "the command turns flags into one call; only record touches bpf",
		},
	}
}

// goPackage is the part of go list's output that the rules are about.
type goPackage struct {
	ImportPath   string
	Dir          string
	Standard     bool
	GoFiles      []string
	IgnoredFiles []string `json:"IgnoredGoFiles"`
	Imports      []string
	Deps         []string
	Error        *struct{ Err string }
}

// goList runs go list -json for one system and returns its packages.
func goList(t *testing.T, goos string, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json"}, args...)...)
	cmd.Dir = moduleRoot(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH=amd64")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("decode go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}

// moduleRoot returns the folder of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// ruleFor returns the row with the longest matching folder.
func ruleFor(pkg string) (importRule, bool) {
	var best importRule
	for _, r := range importTable() {
		if under(pkg, r.pkg) && len(r.pkg) > len(best.pkg) {
			best = r
		}
	}
	return best, best.pkg != ""
}

func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// breaks tells whether the rule forbids an import.
func (r importRule) breaks(path string) bool {
	below := func(f string) bool { return under(path, f) }
	if rest, ok := strings.CutPrefix(path, module+"/"); ok {
		return !slices.ContainsFunc(r.own, func(f string) bool { return under(rest, f) })
	}
	if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
		return !slices.ContainsFunc(r.other, below)
	}
	return slices.Contains(r.never, path)
}

func TestImports(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, p := range goList(t, goos, "./...") {
			pkg := strings.TrimPrefix(p.ImportPath, module+"/")
			rule, ok := ruleFor(pkg)
			if !ok {
				t.Errorf("%s has no row in the import table: add one with its why", pkg)
				continue
			}
			for _, path := range p.Imports {
				if rule.breaks(path) {
					t.Errorf("%s (%s) imports %s: %s", pkg, goos, path, rule.why)
				}
			}
		}
	}
}

func TestImportRules(t *testing.T) {
	tests := []struct {
		pkg, path string
		breaks    bool
	}{
		{"decode/http1", "bytes", false},
		{"decode/http1", "os", true},
		{"decode/http1", "sync", true},
		{"decode/http1", module + "/decode", false},
		{"decode/http1", module + "/format", true},
		{"format", "github.com/cilium/ebpf", true},
		{"format", "github.com/klauspost/compress/zstd", false},
		{"record", module + "/bpf", false},
		{"record", module + "/replay", true},
		{"cmd/spliff", module + "/bpf", true},
		{"export/pcapng", "github.com/google/gopacket/layers", false},
		{"replay", "os", true},
	}
	for _, tt := range tests {
		rule, ok := ruleFor(tt.pkg)
		if !ok {
			t.Fatalf("no rule for %s", tt.pkg)
		}
		if got := rule.breaks(tt.path); got != tt.breaks {
			t.Errorf("%s importing %s: breaks = %v, want %v", tt.pkg, tt.path, got, tt.breaks)
		}
	}
}

// TestReadersNeedNoKernel: what reads sessions is built for systems that
// cannot record, so nothing of the kernel side may reach it there.
func TestReadersNeedNoKernel(t *testing.T) {
	for _, goos := range []string{"darwin", "windows"} {
		for _, p := range goList(t, goos, "./cmd/spliff") {
			for _, dep := range p.Deps {
				if strings.HasPrefix(dep, "github.com/cilium/ebpf") || dep == module+"/bpf" {
					t.Errorf("on %s the command depends on %s", goos, dep)
				}
			}
		}
	}
}

// eachFile parses every non-test Go file of a folder and those below it.
func eachFile(t *testing.T, folder string, visit func(name string, fset *token.FileSet, f *ast.File)) {
	t.Helper()
	root := moduleRoot(t)
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		visit(rel, fset, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDecodeStartsNothing: import rules do not see the go statement. The benchmark
// is a program, and a module of its own.
func TestDecodeStartsNothing(t *testing.T) {
	eachFile(t, "decode", func(name string, fset *token.FileSet, f *ast.File) {
		if filepath.Dir(name) == filepath.Join("decode", "bench") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s:%d starts a goroutine: a decoder is a function", name, fset.Position(g.Pos()).Line)
			}
			return true
		})
	})
}

// TestRecordHidesKernel: no exported name of record shows a type of cilium/ebpf,
// so its callers stay free of it.
func TestRecordHidesKernel(t *testing.T) {
	eachFile(t, "record", func(name string, _ *token.FileSet, f *ast.File) {
		kernel := map[string]bool{}
		for _, imp := range f.Imports {
			if path := strings.Trim(imp.Path.Value, `"`); strings.HasPrefix(path, "github.com/cilium/ebpf") {
				kernel[path[strings.LastIndex(path, "/")+1:]] = true
			}
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() {
				continue
			}
			ast.Inspect(fn.Type, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && kernel[x.Name] {
						t.Errorf("%s: %s has %s.%s in its signature", name, fn.Name.Name, x.Name, sel.Sel.Name)
					}
				}
				return true
			})
		}
	})
}

// TestHouseRules: no init, no mutable package variable, every folder has a doc.go.
func TestHouseRules(t *testing.T) {
	for _, folder := range []string{"format", "decode", "record", "replay", "export", "cmd"} {
		eachFile(t, folder, func(name string, _ *token.FileSet, f *ast.File) {
			if _, err := os.Stat(filepath.Join(moduleRoot(t), filepath.Dir(name), "doc.go")); err != nil {
				t.Errorf("%s: its package has no doc.go", name)
			}
			for _, decl := range f.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s has an init function: nothing may happen before main", name)
				}
			}
		})
	}
}
