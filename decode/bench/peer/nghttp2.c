// The frame loop and header inflater of nghttp2 on the two directions of each
// connection: as fast as C reads HTTP/2 without the checks of an endpoint.
//
//	nghttp2 FILE     prints exchanges and the CPU time of one pass, in nanoseconds
//
// FILE is, for each connection, two lengths of eight bytes in the machine's own
// order, and the bytes of the client and of the server.
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { HEADER = 9, DATA = 0, HEADERS = 1, PADDED = 8, END_HEADERS = 4, PRIORITY = 32, PREFACE = 24 };

static long fields; // seen, so that nothing is left out as unused

static void die(const char *why) {
	fprintf(stderr, "nghttp2: %s\n", why);
	exit(1);
}

// section inflates a header block, which is one frame in this corpus.
static void section(nghttp2_hd_inflater *hd, uint8_t *p, size_t n) {
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(hd, &nv, &flags, p, n, 1);
		if (used < 0) die("inflate");
		p += used;
		n -= used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT) fields += nv.namelen > 0;
		if (flags & NGHTTP2_HD_INFLATE_FINAL) {
			nghttp2_hd_inflate_end_headers(hd);
			return;
		}
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && n == 0) return;
	}
}

// direction returns how many header blocks there are.
static long direction(uint8_t *p, size_t n) {
	nghttp2_hd_inflater *hd;
	if (nghttp2_hd_inflate_new(&hd)) die("new inflater");
	long blocks = 0;
	while (n >= HEADER) {
		size_t len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
		uint8_t type = p[3], flags = p[4], *body = p + HEADER;
		if (len > n - HEADER) die("cut frame");
		p += HEADER + len;
		n -= HEADER + len;
		if (type != HEADERS) continue;
		if (!(flags & END_HEADERS)) die("a block of more than one frame");
		size_t pad = 0;
		if (flags & PADDED) {
			pad = body[0];
			body++;
			len--;
		}
		if (flags & PRIORITY) {
			body += 5;
			len -= 5;
		}
		section(hd, body, len - pad);
		blocks++;
	}
	nghttp2_hd_inflate_del(hd);
	return blocks;
}

static int64_t now(void) {
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

int main(int argc, char **argv) {
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	if (!f) die("give it a file");
	fseek(f, 0, SEEK_END);
	size_t size = ftell(f);
	rewind(f);
	uint8_t *all = malloc(size);
	if (!all || fread(all, 1, size, f) != size) die("read");
	long exchanges = 0;
	int64_t from = now();
	for (uint8_t *p = all; p < all + size;) {
		uint64_t len[2];
		memcpy(len, p, sizeof len);
		p += sizeof len;
		if (len[0] < PREFACE) die("no preface");
		long asked = direction(p + PREFACE, len[0] - PREFACE);
		long answered = direction(p + len[0], len[1]);
		exchanges += asked < answered ? asked : answered;
		p += len[0] + len[1];
	}
	int64_t to = now();
	printf("%ld %lld %ld\n", exchanges, (long long)(to - from), fields);
	return 0;
}
