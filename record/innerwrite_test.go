package record

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// writeLibrary is the shape of OpenSSL's writing in C.
const writeLibrary = `
#include <stddef.h>
#define KEEP __attribute__((noinline,used))
typedef struct ssl SSL;
typedef struct { int version; int (*fill[6])(void); int (*write)(SSL*, const void*, size_t, size_t*);
  int (*more[4])(void); int (*write_bytes)(SSL*, int, const void*, size_t, size_t*); } METHOD;
struct ssl { int version; const METHOD *method; int shutdown, renegotiate, mode; size_t done, waiting, pending; const void *held; int (*shake)(SSL*); };
extern int *errno_at(void);
extern int many(SSL*), seal(SSL*, int, int, void*, int, int), asynchronous(void), start_async(SSL*, const void*, size_t, size_t*);
extern void check(SSL*, int), release(SSL*);
extern size_t fragment(SSL*);
extern int do_write(SSL*, int, const unsigned char*, size_t*, size_t, int, size_t*);
extern int write_pending(SSL*, int, const unsigned char*, size_t, size_t*);
KEEP static int bytes(SSL *s, int type, const void *buf_, size_t len, size_t *written) {
  const unsigned char *buf = buf_;
  size_t tot = s->done, n, split, lens[32], sent;
  int i;
  if (len < tot) return -1;
  s->done = 0;
  if (s->shake && !s->shutdown) { i = s->shake(s); if (i < 0) return i; if (i == 0) return -1; }
  if (s->waiting) {
    i = write_pending(s, type, &buf[tot], s->pending, &sent);
    if (i <= 0) { s->done = tot; return i; }
    tot += sent;
  }
  if (type == 23 && len > 65536 && many(s)) {
    struct { unsigned char *out; const unsigned char *in; size_t len; } job = { 0, 0, 65536 };
    n = len - tot;
    while (n >= 65536) {
      job.in = &buf[tot];
      if (seal(s, 26, 32, &job, 0, 0) <= 0) return -1;
      s->held = &buf[tot];
      s->pending = 65536;
      i = write_pending(s, type, &buf[tot], 65536, &sent);
      if (i <= 0) { s->done = tot; return i; }
      if (sent == n) { release(s); *written = tot + sent; return 1; }
      n -= sent;
      tot += sent;
    }
  }
  if (tot == len) { *written = tot; return 1; }
  n = len - tot;
  split = fragment(s);
  for (;;) {
    size_t pipes = n > split ? 2 : 1;
    for (size_t j = 0; j < pipes; j++) lens[j] = n / pipes;
    i = do_write(s, type, &buf[tot], lens, pipes, 0, &sent);
    if (i <= 0) { s->done = tot; return i; }
    if (sent == n || (type == 23 && (s->mode & 1))) { *written = tot + sent; return 1; }
    n -= sent;
    tot += sent;
  }
}
KEEP static int datagram(SSL *s, int type, const void *buf, size_t len, size_t *written) {
  extern int copied(SSL*, int, const void*, size_t, int, size_t*);
  if (len > 16384) return -1;
  return copied(s, type, buf, len, 0, written);
}
KEEP static int ssl3_write(SSL *s, const void *buf, size_t len, size_t *written) {
  *errno_at() = 0;
  if (s->renegotiate) check(s, 0);
  return s->method->write_bytes(s, 23, buf, len, written);
}
static const METHOD both = { .version = 1, .write = ssl3_write, .write_bytes = bytes };
static const METHOD client = { .version = 2, .write = ssl3_write, .write_bytes = bytes };
static const METHOD server = { .version = 3, .write = ssl3_write, .write_bytes = bytes };
static const METHOD datagrams = { .version = 4, .write = ssl3_write, .write_bytes = datagram };
const METHOD *TLS_method(void) { return &both; }
const METHOD *TLS_client_method(void) { return &client; }
const METHOD *TLS_server_method(void) { return &server; }
const METHOD *DTLS_method(void) { return &datagrams; }
KEEP static int write_internal(SSL *s, const void *b, size_t n, size_t *out) {
  if (s->shutdown) return -1;
  if (asynchronous()) return start_async(s, b, n, out);
  return s->method->write(s, b, n, out);
}
int SSL_write(SSL *s, const void *b, int n) { size_t o; if (n < 0) return -1; int r = write_internal(s, b, n, &o); return r > 0 ? (int)o : r; }
int SSL_write_ex(SSL *s, const void *b, size_t n, size_t *o) { int r = write_internal(s, b, n, o); return r < 0 ? 0 : r; }
`

func writesOf(m *image) ([]site, error) {
	inner, ok := firstCall(m, m.symbols["SSL_write"].Value)
	if !ok {
		return nil, errors.New("SSL_write calls nothing first")
	}
	return innerWrite(m, inner)
}

func TestInnerWrite(t *testing.T) {
	for _, flags := range [][]string{{"-O2"}, {"-O3"}, {"-O2", "-fstack-protector-strong"}, {"-O2", "-fno-omit-frame-pointer"}, {"-O2", "-fcf-protection=full"}, {"-O2", "-fcf-protection=full", "-fstack-clash-protection", "-Wl,-z,pack-relative-relocs"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			m := compiled(t, writeLibrary, flags...)
			sites, err := writesOf(m)
			if err != nil {
				t.Fatal(err)
			}
			checkWrites(t, m, sites)
		})
	}
}

// checkWrites holds what the sites must have whatever the compiler made of the rest:
// three for the calls that send, one for the function of DTLS, which is none of these.
func checkWrites(t *testing.T, m *image, sites []site) {
	t.Helper()
	if len(sites) != 4 {
		t.Fatalf("%d sites, want 4: %v", len(sites), sites)
	}
	for _, s := range sites[:3] {
		p := s.at
		if s.what != whatInnerWrite || s.cost != CostEmulated || !s.entry || s.ret {
			t.Errorf("%s: %+v", s.name, s)
		}
		if p.session > 21 || p.buffer > 21 || p.out > 21 || p.session == p.buffer || p.buffer == p.out || p.offset == p.session || p.peek != noWord {
			t.Errorf("%s: %+v are no places", s.name, p)
		}
		code := make([]byte, 16)
		if _, err := m.f.ReadAt(code, int64(s.off)); err != nil {
			t.Fatal(err)
		}
		if in, err := x86asm.Decode(code, 64); err != nil || in.Op != x86asm.JLE && in.Op != x86asm.JG {
			t.Errorf("%s: at %v, want a jump that the result decides", s.name, in)
		}
	}
	if s := sites[3]; s.flags != flagTyped || s.how != howArg5 || !s.ret || s.entry {
		t.Errorf("%s: %+v, want a function that is watched itself", s.name, s)
	}
}

// TestInnerWriteRefuses changes one thing at a time after which what is written could
// go unseen, or be taken for something else.
func TestInnerWriteRefuses(t *testing.T) {
	for _, tt := range []struct{ name, old, new string }{
		{"another type", "write_bytes(s, 23, buf", "write_bytes(s, 22, buf"},
		{"another buffer", "write_bytes(s, 23, buf", "write_bytes(s, 23, (const char *)buf + 1"},
		{"clients write elsewhere", "METHOD client = { .version = 2, .write = ssl3_write", "METHOD client = { .version = 2, .write = (void *)fragment"},
		{"a table that is not known", "{ return &datagrams; }", "{ extern const METHOD *made(void); return made(); }"},
		{"QUIC", "const METHOD *TLS_method", "const METHOD *OSSL_QUIC_client_method(void) { return &both; }\nconst METHOD *TLS_method"},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, writeLibrary, tt.old, tt.new, writesOf) })
	}
	// Of the function that writes records: then it is watched itself, and so are all.
	for _, tt := range []struct{ name, old, new string }{
		{"gives the buffer to somebody", "if (tot == len)", "extern void log_it(const void*); log_it(buf); if (tot == len)"},
		{"sends for another session", "do_write(s, type", "do_write((SSL *)s->held, type"},
		{"sends another type", "do_write(s, type", "do_write(s, s->version"},
		{"the result decides nothing at once", "&sent);\n    if (i <= 0) { s->done = tot; return i; }\n    if (sent", "&sent);\n    *errno_at() = i;\n    if (i <= 0) { s->done = tot; return i; }\n    if (sent"},
		{"tells elsewhere how much", "lens, pipes, 0, &sent)", "lens, pipes, 0, &s->pending)"},
		{"moves the buffer", "&buf[tot], lens", "&buf[tot * 2], lens"},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, writeLibrary, tt.old, tt.new, writesOf) })
	}
}

func TestInnerWriteOfThisMachine(t *testing.T) {
	m, sites := ofThisMachine(t, writesOf)
	checkWrites(t, m, sites)
}

// TestSumIsForgotten: what a register said of the buffer holds until it changes.
func TestSumIsForgotten(t *testing.T) {
	sum := symbol{symBuffer, plus + int64(x86asm.RBX-x86asm.RAX)}
	for _, tt := range []struct {
		name string
		code []byte
		want symbol
	}{
		{"lea (%rax,%rbx),%rdx", []byte{0x48, 0x8d, 0x14, 0x18}, sum},
		{"lea 8(%rax,%rbx),%rdx", []byte{0x48, 0x8d, 0x54, 0x18, 0x08}, symbol{symBuffer, moved}},
		{"lea (%rax,%rbx,2),%rdx", []byte{0x48, 0x8d, 0x14, 0x58}, symbol{symBuffer, moved}},
		{"mov %rax,%rdx; add %rbx,%rdx", []byte{0x48, 0x89, 0xc2, 0x48, 0x01, 0xda}, sum},
		{"mov %rax,%rdx; sub %rbx,%rdx", []byte{0x48, 0x89, 0xc2, 0x48, 0x29, 0xda}, symbol{symBuffer, moved}},
		{"mov %rax,%rdx; add %ebx,%edx", []byte{0x48, 0x89, 0xc2, 0x01, 0xda}, symbol{}},
		{"lea (%rax,%rbx),%rdx; xor %ebx,%ebx", []byte{0x48, 0x8d, 0x14, 0x18, 0x31, 0xdb}, symbol{symBuffer, moved}},
		{"lea (%rax,%rbx),%rdx; inc %bl", []byte{0x48, 0x8d, 0x14, 0x18, 0xfe, 0xc3}, symbol{symBuffer, moved}},
		{"lea (%rax,%rbx),%rdx; pop %rbx", []byte{0x48, 0x8d, 0x14, 0x18, 0x5b}, symbol{symBuffer, moved}},
		{"lea (%rax,%rbx),%rdx; push %rdx; xor %ebx,%ebx; pop %rdx", []byte{0x48, 0x8d, 0x14, 0x18, 0x52, 0x31, 0xdb, 0x5a}, symbol{symBuffer, moved}},
		{"lea (%rax,%rbx),%rbx; mov %rbx,%rdx", []byte{0x48, 0x8d, 0x1c, 0x18, 0x48, 0x89, 0xda}, symbol{symBuffer, moved}},
		{"push %rax; mov %rbx,%rdx; add (%rsp),%rdx", []byte{0x50, 0x48, 0x89, 0xda, 0x48, 0x03, 0x14, 0x24}, symbol{symBuffer, moved}},
	} {
		m := newRegisterFile()
		m.regs[x86asm.RAX-x86asm.RAX] = symbol{kind: symBuffer}
		for code := tt.code; len(code) > 0; {
			in, err := x86asm.Decode(code, 64)
			if err != nil {
				t.Fatal(tt.name, err)
			}
			if err := m.step(in); err != nil {
				t.Fatal(tt.name, err)
			}
			code = code[in.Len:]
		}
		if got := m.reg(x86asm.RDX); got != tt.want {
			t.Errorf("%s: rdx holds %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// TestFarSlots: a place on the stack is the same by either register, however far it is.
func TestFarSlots(t *testing.T) {
	m := newRegisterFile()
	m.regs[x86asm.RAX-x86asm.RAX] = symbol{kind: symSession}
	for _, code := range [][]byte{
		{0x48, 0x89, 0xe5},                                     // mov %rsp,%rbp
		{0x48, 0x81, 0xec, 0x48, 0x01, 0, 0},                   // sub $0x148,%rsp
		{0x48, 0x89, 0x85, 0xc8, 0xfe, 0xff, 0xff},             // mov %rax,-0x138(%rbp)
		{0x48, 0x8b, 0x54, 0x24, 0x10},                         // mov 0x10(%rsp),%rdx
		{0x48, 0xc7, 0x85, 0xc8, 0xfe, 0xff, 0xff, 0, 0, 0, 0}, // movq $0,-0x138(%rbp)
		{0x48, 0x8b, 0x4c, 0x24, 0x10},                         // mov 0x10(%rsp),%rcx
	} {
		in, err := x86asm.Decode(code, 64)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.step(in); err != nil {
			t.Fatal(err)
		}
	}
	if rdx, rcx := m.reg(x86asm.RDX), m.reg(x86asm.RCX); rdx.kind != symSession || rcx != (symbol{kind: symConst}) {
		t.Errorf("read %+v, then %+v, want the session, then 0", rdx, rcx)
	}
}
