/*
 * identity.c - many short TLS connections that look alike: a client and a server, each
 * one process, that use the same few addresses, descriptors and ports again and again.
 *
 * Every message is a repetition of sixteen bytes that say whose it is: number of the
 * connection, direction and the client's port. So bytes that are told of another
 * connection than their own give themselves away.
 *
 *	identity CONNECTIONS
 *
 * Every 250th connection is taken over by a child after its handshake, which gets the
 * same process number as the child before it where the kernel lets us choose; every
 * 250th is used by two threads, one of which writes while the other reads.
 *
 * Pre-shared keys (RFC 4279) make handshakes cheap. The prototypes stand here so that
 * no header of OpenSSL is needed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
const void *TLS_method(void);
SSL_CTX *SSL_CTX_new(const void *);
long SSL_CTX_ctrl(SSL_CTX *, int, long, void *);
int SSL_CTX_set_cipher_list(SSL_CTX *, const char *);
void SSL_CTX_set_psk_client_callback(SSL_CTX *, unsigned (*)(SSL *, const char *, char *, unsigned, unsigned char *, unsigned));
void SSL_CTX_set_psk_server_callback(SSL_CTX *, unsigned (*)(SSL *, const char *, unsigned char *, unsigned));
SSL *SSL_new(SSL_CTX *);
int SSL_set_fd(SSL *, int), SSL_connect(SSL *), SSL_accept(SSL *), SSL_read(SSL *, void *, int), SSL_write(SSL *, const void *, int);
int SSL_shutdown(SSL *), SSL_pending(SSL *);
void SSL_free(SSL *);
#define SSL_CTRL_SET_MAX_PROTO_VERSION 124
#define TLS1_2_VERSION 0x0303

enum { TAG = 16, PORTS = 16, MAX = 64 * 1024 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned client_psk(SSL *s, const char *hint, char *id, unsigned id_len, unsigned char *psk, unsigned len)
{
	strcpy(id, "x");
	memset(psk, 7, 16);
	return 16;
}

static unsigned server_psk(SSL *s, const char *id, unsigned char *psk, unsigned len)
{
	memset(psk, 7, 16);
	return 16;
}

static SSL_CTX *context(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_method());
	if (!c || SSL_CTX_ctrl(c, SSL_CTRL_SET_MAX_PROTO_VERSION, TLS1_2_VERSION, 0) != 1 ||
	    SSL_CTX_set_cipher_list(c, "PSK-AES128-GCM-SHA256") != 1)
		die("context");
	SSL_CTX_set_psk_client_callback(c, client_psk);
	SSL_CTX_set_psk_server_callback(c, server_psk);
	return c;
}

/* Closes so that the port can be used again at once. */
static void drop(int fd)
{
	struct linger now = {1, 0};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void fill(char *b, int n, unsigned id, char dir, unsigned port)
{
	char tag[TAG + 1];
	snprintf(tag, sizeof(tag), "%08x%c%05u:\n", id, dir, port);
	for (int i = 0; i < n; i += TAG)
		memcpy(b + i, tag, TAG);
}

/* Answers each tag with one of the other direction. */
static void serve(int listener)
{
	static char b[MAX];
	SSL_CTX *ctx = context();
	for (;;) {
		int fd = accept(listener, 0, 0), n, have = 0;
		if (fd < 0)
			die("accept");
		SSL *s = SSL_new(ctx);
		SSL_set_fd(s, fd);
		if (SSL_accept(s) == 1)
			while ((n = SSL_read(s, b + have, sizeof(b) - have)) > 0) {
				have += n;
				n = have / TAG * TAG;
				for (int i = 0; i < n; i += TAG)
					b[i + 8] = 's';
				if (n && SSL_write(s, b, n) <= 0)
					break;
				have -= n;
				memmove(b, b + n, have);
			}
		SSL_free(s);
		drop(fd);
	}
}

static int reach(struct sockaddr_in to, unsigned i, unsigned *port)
{
	struct sockaddr_in me = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(me);
	static unsigned ports[PORTS];
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	me.sin_port = htons(ports[i % PORTS]);
	if (bind(fd, (void *)&me, sizeof(me))) {
		me.sin_port = 0; /* somebody else has it meanwhile */
		if (bind(fd, (void *)&me, sizeof(me)))
			die("bind");
	}
	if (connect(fd, (void *)&to, sizeof(to)))
		die("connect");
	getsockname(fd, (void *)&me, &len);
	*port = ports[i % PORTS] = ntohs(me.sin_port);
	return fd;
}

struct talk {
	SSL *s;
	int fd, size, turns;
	unsigned id, port;
	pthread_mutex_t lock;
};

static int receive(struct talk *t, int size)
{
	static __thread char b[MAX], want[MAX];
	fill(want, size, t->id, 's', t->port);
	for (int have = 0; have < size;) {
		struct pollfd p = {t->fd, POLLIN};
		pthread_mutex_lock(&t->lock);
		int ready = SSL_pending(t->s) || poll(&p, 1, 0) > 0;
		int n = ready ? SSL_read(t->s, b + have, size - have) : 0;
		pthread_mutex_unlock(&t->lock);
		if (!ready)
			poll(&p, 1, 1000);
		if (n < 0 || (ready && n == 0) || memcmp(b + have, want + have, n))
			return 0;
		have += n;
	}
	return 1;
}

static void *reader(void *arg)
{
	struct talk *t = arg;
	for (int i = 0; i < t->turns; i++)
		if (!receive(t, t->size))
			return t;
	return 0;
}

static int converse(struct talk *t)
{
	static char b[MAX];
	pthread_t thread;
	void *bad = 0;
	fill(b, t->size, t->id, 'c', t->port);
	if (t->turns > 1)
		pthread_create(&thread, 0, reader, t);
	for (int i = 0; i < t->turns; i++) {
		pthread_mutex_lock(&t->lock);
		int n = SSL_write(t->s, b, t->size);
		pthread_mutex_unlock(&t->lock);
		if (n != t->size)
			return 0;
	}
	if (t->turns > 1)
		return !pthread_join(thread, &bad) && !bad;
	return receive(t, t->size);
}

/* Lets the next child have the number of the last, if that is free. */
static void again(pid_t last)
{
	char b[16];
	int fd = last ? open("/proc/sys/kernel/ns_last_pid", O_WRONLY) : -1;
	if (fd < 0)
		return;
	int n = snprintf(b, sizeof(b), "%d", last - 1);
	if (write(fd, b, n) != n)
		perror("ns_last_pid");
	close(fd);
}

int main(int argc, char **argv)
{
	unsigned n = atoi(argv[1]), reused = 0;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (void *)&at, sizeof(at)) || listen(listener, 64) || getsockname(listener, (void *)&at, &len))
		die("listen");
	signal(SIGPIPE, SIG_IGN);
	pid_t server = fork(), last = 0;
	if (!server)
		serve(listener);
	close(listener);
	SSL_CTX *ctx = context();
	for (unsigned i = 0; i < n; i++) {
		struct talk t = {.id = i, .turns = 1, .lock = PTHREAD_MUTEX_INITIALIZER};
		t.size = i % 1000 == 3 ? 3000 * TAG : (1 + i % 5) * TAG;
		if (i % 250 == 11)
			t.turns = 40;
		t.fd = reach(at, i, &t.port);
		t.s = SSL_new(ctx);
		SSL_set_fd(t.s, t.fd);
		if (SSL_connect(t.s) != 1)
			die("handshake");
		if (i % 250 == 7) {
			int status;
			again(last);
			pid_t child = fork();
			if (!child)
				_exit(!converse(&t));
			reused += child == last;
			last = child;
			if (waitpid(child, &status, 0) != child || status)
				die("child");
		} else if (!converse(&t)) {
			fprintf(stderr, "connection %u: other bytes than were sent\n", i);
			return 1;
		} else {
			SSL_shutdown(t.s);
		}
		SSL_free(t.s);
		drop(t.fd);
	}
	usleep(500000); /* it may have answered without having returned from the call that did */
	kill(server, SIGKILL);
	waitpid(server, 0, 0);
	printf("%u process numbers used again\n", reused);
	return 0;
}
