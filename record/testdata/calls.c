/*
 * calls.c - the less common ways to use a TLS session, one a run, with a client and a
 * server in two threads:
 *
 *	calls keyupdate|renegotiate|early|partial|failed|left|blocks|dtls CERT KEY
 *
 * Byte i of what the client writes is i * 7 + i / 251 + 1, of what the server writes one
 * more. Says what each end moved: "client 1000 2000" wrote 1000 and read 2000 bytes.
 *
 * The prototypes stand here so that no header of OpenSSL is needed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_session_st SSL_SESSION;
typedef struct bio_st BIO;
const void *TLS_method(void), *DTLS_method(void);
BIO *BIO_new_socket(int, int), *BIO_new_dgram(int, int);
long BIO_ctrl(BIO *, int, long, void *);
void SSL_set_bio(SSL *, BIO *, BIO *), SSL_set_accept_state(SSL *);
unsigned long SSL_CTX_set_options(SSL_CTX *, unsigned long);
int SSL_CTX_set_cipher_list(SSL_CTX *, const char *);
SSL_CTX *SSL_CTX_new(const void *);
long SSL_CTX_ctrl(SSL_CTX *, int, long, void *);
int SSL_CTX_use_certificate_file(SSL_CTX *, const char *, int), SSL_CTX_use_PrivateKey_file(SSL_CTX *, const char *, int);
int SSL_CTX_set_max_early_data(SSL_CTX *, unsigned);
SSL *SSL_new(SSL_CTX *);
void SSL_free(SSL *), SSL_set_connect_state(SSL *);
int SSL_set_fd(SSL *, int), SSL_connect(SSL *), SSL_accept(SSL *), SSL_shutdown(SSL *), SSL_get_error(SSL *, int);
int SSL_read(SSL *, void *, int), SSL_write(SSL *, const void *, int);
int SSL_read_ex(SSL *, void *, size_t, size_t *), SSL_write_ex(SSL *, const void *, size_t, size_t *);
int SSL_read_early_data(SSL *, void *, size_t, size_t *), SSL_write_early_data(SSL *, const void *, size_t, size_t *);
int SSL_key_update(SSL *, int), SSL_renegotiate(SSL *), SSL_do_handshake(SSL *), SSL_set_session(SSL *, SSL_SESSION *);
int SSL_get_early_data_status(SSL *);
SSL_SESSION *SSL_get1_session(SSL *);
enum { PEM = 1, MODE = 33, PARTIAL_WRITE = 1, MIN_VERSION = 123, MAX_VERSION = 124, TLS1_2 = 0x303, TLS1_3 = 0x304,
       NO_ENCRYPT_THEN_MAC = 1 << 19, SET_CONNECTED = 32, UPDATE_REQUESTED = 1, EARLY_FINISH = 2, WANT_READ = 2, WANT_WRITE = 3, EARLY_ACCEPTED = 2 };

struct end {
	SSL *s;
	int fd, server;
	size_t wrote, got;
};

static const char *mode;
static int left, dtls; /* modes */
static SSL_CTX *servers;
static int listener;
static struct sockaddr_in to; /* where it listens */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned char at(size_t i, int server) { return i * 7 + i / 251 + 1 + server; }

static unsigned char *next(struct end *e, size_t n)
{
	unsigned char *b = malloc(n);
	for (size_t i = 0; i < n; i++)
		b[i] = at(e->wrote + i, e->server);
	return b;
}

static void took(struct end *e, const unsigned char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (b[i] != at(e->got++, !e->server))
			die("wrong byte");
}

static void send_some(struct end *e, size_t n)
{
	unsigned char *b = next(e, n);
	if (SSL_write(e->s, b, n) != (int)n)
		die("SSL_write");
	e->wrote += n;
	free(b);
}

static void receive(struct end *e, size_t n)
{
	unsigned char b[3000];
	for (size_t end = e->got + n; e->got < end;) {
		int m = SSL_read(e->s, b, end - e->got < sizeof(b) ? end - e->got : sizeof(b));
		if (m <= 0)
			die("SSL_read");
		took(e, b, m);
	}
}

/* Writes and reads 3 MB at once on a socket that never waits and has room for less than
 * a record, in pieces of odd sizes. */
static void partial(struct end *e)
{
	enum { ALL = 3000001 };
	unsigned char *all = next(e, ALL), b[4321];
	setsockopt(e->fd, SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int));
	fcntl(e->fd, F_SETFL, O_NONBLOCK);
	while (e->wrote < ALL || e->got < ALL) {
		size_t n = 0;
		int events = POLLIN, progress = 0;
		if (e->wrote < ALL) {
			/* What was not taken is offered again, and more of it. */
			if (SSL_write_ex(e->s, all + e->wrote, ALL - e->wrote, &n) == 1) {
				e->wrote += n;
				progress = 1;
			} else if (SSL_get_error(e->s, 0) == WANT_WRITE)
				events |= POLLOUT;
		}
		if (e->got < ALL && SSL_read_ex(e->s, b, 1 + e->got % sizeof(b), &n) == 1) {
			took(e, b, n);
			progress = 1;
		}
		if (!progress)
			poll(&(struct pollfd){.fd = e->fd, .events = events}, 1, 1000);
	}
	fcntl(e->fd, F_SETFL, 0);
	free(all);
}

/* Writes so much at once that ciphers that can seal many records at a time do. */
static void blocks(struct end *e)
{
	for (int i = 0; i < 3; i++) {
		if (!e->server)
			send_some(e, 300000 + i);
		receive(e, 300000 + i);
		if (e->server)
			send_some(e, 300000 + i);
	}
}

/* What both ends do after their handshake. */
static void talk(struct end *e)
{
	if (!strcmp(mode, "partial")) {
		partial(e);
		return;
	}
	if (!strcmp(mode, "blocks")) {
		blocks(e);
		return;
	}
	for (int i = 0; i < 4; i++) {
		if (e->server) {
			receive(e, 5000);
			send_some(e, dtls ? 10000 : 20000); /* of a datagram's size */
			if (dtls)
				send_some(e, 10000);
			if (!strcmp(mode, "renegotiate") && (SSL_renegotiate(e->s) != 1 || SSL_do_handshake(e->s) != 1))
				die("renegotiate");
		} else {
			send_some(e, 5000);
			receive(e, 20000);
		}
		if (!strcmp(mode, "keyupdate") && SSL_key_update(e->s, UPDATE_REQUESTED) != 1)
			die("SSL_key_update");
	}
}

static void done(struct end *e)
{
	printf("%s %zu %zu\n", e->server ? "server" : "client", e->wrote, e->got);
	SSL_shutdown(e->s);
	SSL_free(e->s);
	/* Closed while something lies there unread, the connection is reset, and the other
	 * end may lose what was sent to it. */
	char rest[1000];
	shutdown(e->fd, SHUT_WR);
	while (!dtls && read(e->fd, rest, sizeof(rest)) > 0)
		;
	close(e->fd);
}

static void accept_early(struct end *e)
{
	unsigned char b[700];
	size_t n;
	int state;
	while ((state = SSL_read_early_data(e->s, b, sizeof(b), &n)) == 1)
		took(e, b, n);
	if (state != EARLY_FINISH)
		die("SSL_read_early_data");
}

/* Puts a session on a socket, as programs do that make both themselves or hand over one. */
static void put(struct end *e, SSL_CTX *of)
{
	e->s = SSL_new(of);
	if (!left && !dtls) {
		SSL_set_fd(e->s, e->fd);
		return;
	}
	BIO *b = dtls ? BIO_new_dgram(e->fd, 0) : BIO_new_socket(e->fd, 0);
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	if (getpeername(e->fd, (void *)&peer, &len))
		die("getpeername");
	if (dtls)
		BIO_ctrl(b, SET_CONNECTED, 0, &peer);
	SSL_set_bio(e->s, b, b);
	if (left && e->server)
		SSL_set_accept_state(e->s);
	else if (left)
		SSL_set_connect_state(e->s);
}

/* The server's socket: of datagrams the one that listens, for whom the first is from. */
static int accepted(void)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char b;
	if (!dtls)
		return accept(listener, 0, 0);
	if (recvfrom(listener, &b, 1, MSG_PEEK, (void *)&from, &len) < 0 || connect(listener, (void *)&from, len))
		die("recvfrom");
	return listener;
}

static void *serve(void *sessions)
{
	for (int i = 0; i < *(int *)sessions; i++) {
		struct end e = {.server = 1, .fd = accepted()};
		put(&e, servers);
		if (!strcmp(mode, "early"))
			accept_early(&e);
		if (left || SSL_accept(e.s) == 1)
			talk(&e);
		else if (strcmp(mode, "failed"))
			die("SSL_accept");
		done(&e);
	}
	return 0;
}

int main(int argc, char **argv)
{
	socklen_t len = sizeof(to);
	pthread_t server;
	SSL_SESSION *known = 0;
	mode = argv[1];
	left = !strcmp(mode, "left");
	dtls = !strcmp(mode, "dtls");
	int early = !strcmp(mode, "early"), sessions = early ? 2 : 1, kind = dtls ? SOCK_DGRAM : SOCK_STREAM;
	SSL_CTX *clients = SSL_CTX_new(dtls ? DTLS_method() : TLS_method());
	servers = SSL_CTX_new(dtls ? DTLS_method() : TLS_method());
	to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (SSL_CTX_use_certificate_file(servers, argv[2], PEM) != 1 || SSL_CTX_use_PrivateKey_file(servers, argv[3], PEM) != 1)
		die(argv[2]);
	if (!strcmp(mode, "renegotiate") || !strcmp(mode, "failed"))
		SSL_CTX_ctrl(servers, MAX_VERSION, TLS1_2, 0);
	if (!strcmp(mode, "failed"))
		SSL_CTX_ctrl(clients, MIN_VERSION, TLS1_3, 0);
	if (!strcmp(mode, "partial")) {
		SSL_CTX_ctrl(servers, MODE, PARTIAL_WRITE, 0);
		SSL_CTX_ctrl(clients, MODE, PARTIAL_WRITE, 0);
	}
	if (!strcmp(mode, "blocks")) {
		SSL_CTX_ctrl(clients, MAX_VERSION, TLS1_2, 0);
		SSL_CTX_set_options(clients, NO_ENCRYPT_THEN_MAC);
		if (SSL_CTX_set_cipher_list(clients, "AES128-SHA256") != 1)
			die("SSL_CTX_set_cipher_list");
	}
	if (early)
		SSL_CTX_set_max_early_data(servers, 16384);
	listener = socket(AF_INET, kind, 0);
	if (bind(listener, (void *)&to, sizeof(to)) || (!dtls && listen(listener, 1)) || getsockname(listener, (void *)&to, &len))
		die("listen");
	pthread_create(&server, 0, serve, &sessions);
	for (int i = 0; i < sessions; i++) {
		struct end e = {.fd = socket(AF_INET, kind, 0)};
		if (connect(e.fd, (void *)&to, sizeof(to)))
			die("connect");
		put(&e, clients);
		if (known) {
			unsigned char *b = next(&e, 10000);
			SSL_set_connect_state(e.s);
			if (SSL_set_session(e.s, known) != 1)
				die("SSL_set_session");
			for (size_t n, end = 10000; e.wrote < end; e.wrote += n)
				if (SSL_write_early_data(e.s, b + e.wrote, end - e.wrote > 3000 ? 3000 : end - e.wrote, &n) != 1)
					die("SSL_write_early_data");
			free(b);
		}
		if (left || SSL_connect(e.s) == 1)
			talk(&e);
		else if (strcmp(mode, "failed"))
			die("SSL_connect");
		if (known && SSL_get_early_data_status(e.s) != EARLY_ACCEPTED)
			die("early data were refused");
		if (early)
			known = SSL_get1_session(e.s); /* the ticket came with what was read */
		done(&e);
	}
	pthread_join(server, 0);
	return 0;
}
