// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * cookie.h - what the attach cookie tells a program of the place it runs at.
 *
 * Facts about libraries are tables in Go (record/library_table.go); this is the
 * language they are written in.
 */
#ifndef SPLIFF_COOKIE_H
#define SPLIFF_COOKIE_H

/* The attach cookie: what bits 0-7, how bits 8-15, library id bits 16-23, flags
 * bits 24-31. */
enum what {
	W_WRITE = 1,
	W_READ = 2,
	W_HANDSHAKE = 3,
	W_ALPN = 4,
	W_NEW = 5,
	W_FREE = 6,
	W_CLEAR = 7,
	W_UP_REF = 8,
	W_SHUTDOWN = 9,
	W_SERVER = 10,
	W_CLIENT = 11,
	W_ROLE = 12, /* argument 2 is not 0 for a server */
	W_INIT = 13, /* argument 1 becomes a session */
	W_SEEN = 14, /* argument 1 proves to be a session */
	W_INNER_READ = 15, /* inner.h: where a read ends inside the library; bits 32 and up say where its values are */
	W_RENEG = 16, /* a handshake inside it is not a new session's */
	W_EXTENSIONS = 17, /* Go: arguments 2 and 3 are an EncryptedExtensions message that came */
	W_INNER_COPY = 18, /* inner.h: where what was read is copied; bits 32 and up say where its values are */
	W_INNER_WRITE = 19, /* inner.h: where some of a write was sent; bits 32 and up say where its values are */
	W_LINK = 20, /* what W_INNER_WRITE tells of is inside it: for the socket that is used there */
};
enum how {
	/* W_READ, W_WRITE: where the length is. */
	H_RETURN = 0, /* the return value is the length */
	H_ARG4 = 1,   /* returns 1; the length is where argument 4 points */
	H_ARG5 = 2,   /* returns 1; the length is where argument 5 points */
	H_COUNT = 3,  /* returns 0; argument 3 is the length */
	H_BLIND = 4,  /* the return value is the length of what never was in a buffer: counted as lost */
	H_NONE = 5,   /* moves nothing by itself, but calls that repeat what was counted */
	/* W_HANDSHAKE: whose it is, where the function tells. */
	H_CONNECT = 6,
	H_ACCEPT = 7,
	H_EARLY = 15, /* it goes as far as early data can: success is no end of the handshake */
	/* W_ALPN: where the name is. */
	H_PTR_U32 = 8,  /* arguments 2 and 3 point to its address and to its length, an int */
	H_PTR_U16 = 9,  /* the same, the length is a short */
	H_DATUM = 10,   /* argument 2 points to a struct of both */
	H_STRING = 11,  /* the return value points to it, it ends with 0 */
	H_COPIED = 12,  /* argument 3 points to it, argument 4 to its length */
	/* W_NEW */
	H_SESSION = 13,   /* the return value is the session */
	H_OUT_FLAGS = 14, /* argument 1 points to it; argument 2 has bit 0 for a server, else bit 1 */
};
enum call_flags {
	F_ZERO = 1,  /* the handshake function returns 0 for success, not 1 */
	F_KNOWN = 2, /* the function serves other objects too: only known sessions count */
	F_SPILLED = 4, /* Go: at the return, the arguments are still on the caller's stack */
	F_TYPED = 8, /* a type of record is the second argument, the others of a write follow it */
};
enum { APPLICATION_DATA = 23, RECORD_MAX = 16384 }; /* RFC 8446 section 5.1 */
#define WHAT(cookie) ((cookie) & 0xff)
#define HOW(cookie) (((cookie) >> 8) & 0xff)
#define LIB(cookie) (((cookie) >> 16) & 0xff)
#define FLAGS(cookie) (((cookie) >> 24) & 0xff)

#endif
