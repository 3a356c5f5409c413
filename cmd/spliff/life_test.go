package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// lifeStep finds `file:Func` in code quotes; Func is a function, or Type.Method.
var lifeStep = regexp.MustCompile("`([a-z0-9_/.]+\\.(?:go|c|h)):([A-Za-z_][A-Za-z0-9_.]*)`")

// TestLifeOfAByte resolves every step of the README's walk to a function that
// exists, so that the walk stays true.
func TestLifeOfAByte(t *testing.T) {
	root := moduleRoot(t)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, life, ok := strings.Cut(string(readme), "\n## Life of a byte\n")
	if !ok {
		t.Fatal("README.md has no section \"Life of a byte\"")
	}
	if next := strings.Index(life, "\n## "); next >= 0 {
		life = life[:next]
	}
	steps := lifeStep.FindAllStringSubmatch(life, -1)
	if len(steps) < 10 {
		t.Errorf("%d steps, want at least 10", len(steps))
	}
	for _, s := range steps {
		if err := resolveStep(root, s[1], s[2]); err != "" {
			t.Errorf("%s:%s: %s", s[1], s[2], err)
		}
	}
}

// resolveStep returns "" if the file defines the function.
func resolveStep(root, file, name string) string {
	path := filepath.Join(root, filepath.FromSlash(file))
	text, err := os.ReadFile(path)
	if err != nil {
		return "no such file"
	}
	if !strings.HasSuffix(file, ".go") {
		// C: a definition of the function, or a program named by a macro such as
		// BPF_PROG(name, …), whose body follows.
		def := regexp.MustCompile(`(?m)^[^\s#/*].*\b` + regexp.QuoteMeta(name) + `\b[^;]*$`)
		if !def.Match(text) {
			return "not defined there"
		}
		return ""
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
	if err != nil {
		return err.Error()
	}
	for _, decl := range f.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && funcName(fn) == name {
			return ""
		}
	}
	return "not defined there"
}

// funcName returns Func or Type.Method.
func funcName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	typ := fn.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "." + fn.Name.Name
	}
	return fn.Name.Name
}

func TestResolveStep(t *testing.T) {
	root := moduleRoot(t)
	tests := []struct {
		file, name string
		ok         bool
	}{
		{"cmd/spliff/main.go", "run", true},
		{"cmd/spliff/main.go", "walk", false},
		{"cmd/spliff/env.go", "env.colour", true},
		{"cmd/spliff/env.go", "colour", false},
		{"cmd/spliff/nowhere.go", "run", false},
	}
	for _, tt := range tests {
		if got := resolveStep(root, tt.file, tt.name); (got == "") != tt.ok {
			t.Errorf("resolveStep(%s, %s) = %q, want ok %v", tt.file, tt.name, got, tt.ok)
		}
	}
}

// TestNoPlaceholder: a README that was not finished says so here.
func TestNoPlaceholder(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("@@")) {
		t.Error("README.md holds a placeholder")
	}
}
