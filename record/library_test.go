package record

import (
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLibraryNames(t *testing.T) {
	for base, want := range map[string]string{
		"libssl.so.3": "openssl", "libssl.so.3.0.19": "openssl", "libssl.so.1.1": "openssl", "libssl.so.1.0.0": "openssl", "libssl-0a1b2c3d.so.3": "openssl",
		"libssl.so.30": "", "libssl3.so": "nss", "libnspr4.so": "nss", "libcrypto.so.3": "", "libgnutls.so.30": "gnutls", "libgnutls.so.30.34.3": "gnutls",
		"libgnutlsxx.so.30": "", "libwolfssl.so.35": "wolfssl", "libmbedtls.so.14": "mbedtls", "libmbedcrypto.so.7": "", "node": "",
	} {
		got := ""
		for _, l := range named(base) {
			got += l.kind
		}
		if got != want {
			t.Errorf("%s: %q, want %q", base, got, want)
		}
	}
}

// TestTable holds the table to what its users rely on.
func TestTable(t *testing.T) {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
		if k.Title == "" || len(k.Files) == 0 && k.Name != goKind && k.Name != boringKind || k.Name != strings.ToLower(k.Name) {
			t.Errorf("%+v", k)
		}
		for _, f := range k.Files {
			if _, err := path.Match(f, "x"); err != nil {
				t.Errorf("%s: pattern %q: %v", k.Name, f, err)
			}
		}
	}
	if d := cmp.Diff([]string{"openssl", "gnutls", "nss", "wolfssl", "mbedtls", "boringssl", "go"}, names); d != "" {
		t.Error(d)
	}
	for _, l := range libraries() {
		needed := 0
		seen := map[string]bool{}
		for _, f := range l.functions {
			if f.need {
				needed++
			}
			if seen[f.name] || f.what == 0 {
				t.Errorf("%s: %s stands twice or has no role", l.kind, f.name)
			}
			seen[f.name] = true
		}
		if needed < 2 {
			t.Errorf("%s: %d needed functions tell it from nothing", l.kind, needed)
		}
	}
}

// TestKnownByContent: a program with a library built in is known by what it
// exports; one that only calls the library is not taken for it.
func TestKnownByContent(t *testing.T) {
	tests := []struct{ name, source, want string }{
		{"exports", common + internals + exports, "openssl"},
		{"imports", "extern int SSL_read(void*, void*, int), SSL_write(void*, void*, int), SSL_do_handshake(void*); " +
			"int f(void *s) { return SSL_read(s, s, 1) + SSL_write(s, s, 1) + SSL_do_handshake(s); }", ""},
		{"prefix", "int wolfSSL_read(void *s) { return 0; } int wolfSSL_write(void *s) { return 1; }", "wolfssl"},
		{"nothing", "int f(void) { return 1; }", ""},
	}
	for _, tt := range tests {
		m := compiled(t, tt.source)
		got := ""
		for _, l := range within(m) {
			got += l.kind
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if tt.want != "" && !promising(m.path) {
			t.Errorf("%s: its strings are said not to mention it", tt.name)
		}
	}
	if promising(filepath.Join(t.TempDir(), "absent")) || promising("/dev/null") || promising("/bin/true") {
		t.Error("a file without TLS is said to mention it")
	}
}

// TestSystemLibraries resolves the real libraries of this machine.
func TestSystemLibraries(t *testing.T) {
	tls, _ := installedPatterns()
	met := map[string]bool{}
	for _, file := range globAll(tls) {
		for _, l := range named(filepath.Base(file)) {
			if met[l.kind+l.files[0]] {
				continue
			}
			met[l.kind+l.files[0]] = true
			m, err := openImage(file)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			sites, err := l.sites(m)
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			t.Logf("%s is %s", file, l.title)
			text := m.elf.Section(".text")
			for _, s := range sites {
				t.Logf("  %s", s.public())
				if s.off < text.Offset || s.off >= text.Offset+text.Size {
					t.Errorf("%s: offset %#x is outside .text", s.name, s.off)
				}
			}
			for _, f := range l.functions {
				_, ok := m.symbols[f.name]
				if _, other := m.symbols[f.unless]; ok && !other && len(find(sites, f.what)) == 0 && !(f.inner && len(find(sites, whatInnerRead))+len(find(sites, whatInnerCopy)) == 2) {
					t.Errorf("%s: no site for %s", file, f.name)
				}
			}
		}
	}
	for _, l := range libraries() {
		if !met[l.kind+l.files[0]] {
			t.Logf("SKIP: no library of %s is installed (%s)", l.title, l.files[0])
		}
	}
}
