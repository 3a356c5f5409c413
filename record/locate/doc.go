// Package locate finds the functions that carry TLS plaintext in executables that
// export no names: Go programs by the table their runtime needs for stack traces,
// and programs with BoringSSL inside by what their error reports say of themselves.
//
//	executable ─► GoTLS ─────► entry and every return of crypto/tls's functions
//	           ─► BoringSSL ─► first byte of SSL_read, SSL_write, SSL_do_handshake
//	           ─► Unsupported ► which TLS stacks are in it that nobody can watch
//
// An answer is certain or it is an error: a breakpoint in the middle of an
// instruction breaks the program it is put into. The files belong to other
// processes and may be hostile or change while they are read: they are read, never
// mapped (a mapped file that shrinks kills its reader), in windows of bounded size.
// The package puts no probes on anything and knows no kernel.
package locate
