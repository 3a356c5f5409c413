package record

import (
	"strings"
	"testing"
)

// shakeLibrary is the shape of how OpenSSL chooses who shakes hands, in C.
const shakeLibrary = `
#define KEEP __attribute__((noinline,used))
typedef struct ssl SSL;
typedef struct { int version; int (*fill[4])(void); int (*accept)(SSL*); int (*connect)(SSL*); } METHOD;
struct ssl { int version; const METHOD *method; int server; int (*shake)(SSL*); };
extern void clear(SSL*), forget(SSL*);
extern int machine(SSL*, int), wrong(void);
KEEP static int shake_server(SSL *s) { return machine(s, 1); }
KEEP static int shake_client(SSL *s) { return machine(s, 0); }
KEEP static int undefined(SSL *s) { return wrong(); }
static const METHOD both = { .version = 1, .accept = shake_server, .connect = shake_client };
static const METHOD client = { .version = 2, .accept = undefined, .connect = shake_client };
static const METHOD server = { .version = 3, .accept = shake_server, .connect = undefined };
const METHOD *TLS_method(void) { return &both; }
const METHOD *TLS_client_method(void) { return &client; }
const METHOD *TLS_server_method(void) { return &server; }
void SSL_set_accept_state(SSL *s) { s->server = 1; clear(s); s->shake = s->method->accept; forget(s); }
void SSL_set_connect_state(SSL *s) { s->server = 0; clear(s); s->shake = s->method->connect; forget(s); }
`

func TestInnerShakes(t *testing.T) {
	for _, flags := range [][]string{{"-O2"}, {"-O3"}, {"-O1"}, {"-O2", "-fno-omit-frame-pointer"}, {"-O2", "-fcf-protection=full"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			sites, err := innerShakes(compiled(t, shakeLibrary, flags...))
			if err != nil {
				t.Fatal(err)
			}
			checkShakes(t, sites)
		})
	}
}

// checkShakes wants one function of servers and one of clients.
func checkShakes(t *testing.T, sites []site) {
	t.Helper()
	if len(sites) != 2 || sites[0].how != howAccept || sites[1].how != howConnect || sites[0].off == sites[1].off {
		t.Fatalf("%+v, want one function that accepts and one that connects", sites)
	}
	for _, s := range sites {
		if s.what != whatHandshake || s.flags != flagKnown || !s.ret {
			t.Errorf("%s: %+v", s.name, s)
		}
	}
}

func TestInnerShakesRefuses(t *testing.T) {
	for _, tt := range []struct{ name, old, new string }{
		{"none kept", "s->shake = s->method->accept;", "s->method->accept(s);"},
		{"another's", "s->shake = s->method->accept;", "s->shake = machine_of(s)->accept;"},
		{"the same of both", "s->shake = s->method->accept;", "s->shake = s->method->connect;"},
		{"a table that is not known", "{ return &server; }", "{ extern const METHOD *made(void); return made(); }"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refused(t, strings.Replace(shakeLibrary, "extern void clear", "extern METHOD *machine_of(SSL*);\nextern void clear", 1), tt.old, tt.new, innerShakes)
		})
	}
}

// FuzzKeptSlot reads arbitrary code: it must end, and without a panic.
func FuzzKeptSlot(f *testing.F) {
	f.Add([]byte{0x48, 0x8b, 0x47, 0x08, 0x48, 0x8b, 0x40, 0x28, 0x48, 0x89, 0x47, 0x30, 0xc3})
	f.Add([]byte{0x53, 0x48, 0x89, 0xfb, 0xe8, 0, 0, 0, 0, 0x48, 0x8b, 0x43, 0x08, 0x48, 0x8b, 0x40, 0x30, 0x48, 0x89, 0x43, 0x30})
	f.Fuzz(func(t *testing.T, code []byte) {
		slot, ok := keptSlot(code)
		if !ok && slot != 0 {
			t.Errorf("slot %d of nothing", slot)
		}
	})
}

func TestInnerShakesOfThisMachine(t *testing.T) {
	_, sites := ofThisMachine(t, innerShakes)
	checkShakes(t, sites)
}
