/*
 * What libnghttp2 makes of connections: one line a header field, DATA chunk and
 * end of stream, in hexadecimal. Input, repeated: the number of requests, then
 * what the client and what the server sent, each behind its length; numbers are
 * 32 bits, big endian. The client's bytes are read by a server's session, the
 * server's by a client's that asked for as many streams.
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *side;

static void hex(const uint8_t *p, size_t n) {
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t nlen,
		     const uint8_t *value, size_t vlen, uint8_t flags, void *user) {
	int promised = f->hd.type == NGHTTP2_PUSH_PROMISE;
	printf("%s %d field ", promised ? "c2s" : side,
	       promised ? f->push_promise.promised_stream_id : f->hd.stream_id);
	hex(name, nlen);
	printf(" ");
	hex(value, vlen);
	printf("\n");
	return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user) {
	printf("%s %d data ", side, id);
	hex(p, n);
	printf("\n");
	return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *user) {
	if (f->hd.type == NGHTTP2_HEADERS)
		printf("%s %d head\n", side, f->hd.stream_id);
	if (f->hd.type == NGHTTP2_PUSH_PROMISE)
		printf("c2s %d head\nc2s %d end\n", f->push_promise.promised_stream_id, f->push_promise.promised_stream_id);
	if (f->hd.type == NGHTTP2_RST_STREAM)
		printf("%s %d reset\n", side, f->hd.stream_id);
	if ((f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) && (f->hd.flags & NGHTTP2_FLAG_END_STREAM))
		printf("%s %d end\n", side, f->hd.stream_id);
	return 0;
}

static int on_invalid(nghttp2_session *s, const nghttp2_frame *f, int code, void *user) {
	printf("%s %d invalid %s\n", side, f->hd.stream_id, nghttp2_strerror(code));
	return 0;
}

static uint32_t number(void) {
	uint8_t b[4];
	if (fread(b, 1, 4, stdin) != 4)
		exit(0);
	return (uint32_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

static void drain(nghttp2_session *s) {
	const uint8_t *p;
	while (nghttp2_session_mem_send(s, &p) > 0)
		;
}

static void run(int server, uint32_t requests, nghttp2_session_callbacks *cb, nghttp2_option *opt) {
	uint32_t n = number();
	uint8_t *p = malloc(n + 1);
	if (fread(p, 1, n, stdin) != n)
		exit(1);
	nghttp2_session *s;
	if (server) {
		nghttp2_session_server_new2(&s, cb, NULL, opt);
		nghttp2_submit_settings(s, NGHTTP2_FLAG_NONE, NULL, 0);
	} else {
		nghttp2_session_client_new2(&s, cb, NULL, opt);
		nghttp2_submit_settings(s, NGHTTP2_FLAG_NONE, NULL, 0);
		nghttp2_nv nv = {(uint8_t *)":method", (uint8_t *)"GET", 7, 3, NGHTTP2_NV_FLAG_NONE};
		for (uint32_t i = 0; i < requests; i++)
			nghttp2_submit_request(s, NULL, &nv, 1, NULL, NULL);
	}
	drain(s);
	side = server ? "c2s" : "s2c";
	ssize_t got = nghttp2_session_mem_recv(s, p, n);
	if (got != (ssize_t)n)
		printf("%s 0 invalid %s\n", side, nghttp2_strerror((int)got));
	nghttp2_session_del(s);
	free(p);
}

int main(void) {
	nghttp2_session_callbacks *cb;
	nghttp2_option *opt;
	nghttp2_session_callbacks_new(&cb);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid);
	nghttp2_option_new(&opt);
	nghttp2_option_set_no_http_messaging(opt, 1); /* its rules for messages are another test's */
	for (;;) {
		uint32_t requests = number();
		run(1, requests, cb, opt);
		run(0, requests, cb, opt);
		printf("next\n");
	}
}
