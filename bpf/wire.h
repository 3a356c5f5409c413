// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * wire.h - what a session puts on the wire, where that says something of it.
 *
 * The tracepoints of sock.h run inside the system call that moved the bytes, so
 * that its registers say where they are. The first of a handshake are copied: its
 * hellos name version, cipher and server. And a session that writes into memory,
 * for its program to send, is found again by how that begins.
 */
#ifndef SPLIFF_WIRE_H
#define SPLIFF_WIRE_H

/* Linux system call numbers; the second argument of all of them leads to the bytes. */
#if defined(__TARGET_ARCH_x86)
enum { SYS_READ = 0, SYS_WRITE = 1, SYS_READV = 19, SYS_WRITEV = 20, SYS_SENDTO = 44, SYS_RECVFROM = 45, SYS_SENDMSG = 46, SYS_RECVMSG = 47 };
#else
enum { SYS_READ = 63, SYS_WRITE = 64, SYS_READV = 65, SYS_WRITEV = 66, SYS_SENDTO = 206, SYS_RECVFROM = 207, SYS_SENDMSG = 211, SYS_RECVMSG = 212 };
#endif

struct span {
	__u64 at;
	__u64 len; /* at most, as the program gave it */
};

/* The bytes that the current system call moves: the first of its buffers. False
 * for those that have none, such as sendfile or io_uring's. */
static __always_inline bool moved_by_call(struct span *s)
{
	void *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
#if defined(__TARGET_ARCH_x86)
	long nr = BPF_CORE_READ((struct pt_regs *)regs, orig_ax);
	__u64 at = BPF_CORE_READ((struct pt_regs *)regs, si), len = BPF_CORE_READ((struct pt_regs *)regs, dx);
#else
	long nr = BPF_CORE_READ((struct pt_regs___syscall *)regs, syscallno);
	__u64 at = BPF_CORE_READ((struct pt_regs___syscall *)regs, regs[1]), len = BPF_CORE_READ((struct pt_regs___syscall *)regs, regs[2]);
#endif
	switch (nr) {
	case SYS_READ:
	case SYS_WRITE:
	case SYS_RECVFROM:
	case SYS_SENDTO:
		s->at = at;
		s->len = len;
		return true;
	case SYS_SENDMSG:
	case SYS_RECVMSG: /* struct user_msghdr: msg_iov is its third word */
		if (bpf_probe_read_user(&at, sizeof(at), (void *)(at + 16)))
			return false;
		return !bpf_probe_read_user(s, sizeof(*s), (void *)at);
	case SYS_READV:
	case SYS_WRITEV:
		return !bpf_probe_read_user(s, sizeof(*s), (void *)at);
	}
	return false;
}

/* Where a server's hello ends depends on what it sends in it; key shares of
 * post-quantum groups take 1.2 KiB of either hello. */
#define HELLO_MAX 2048

/* Copies n bytes of a handshake, at most HELLO_MAX: of a connection, or of what else
 * its kind says. */
static __always_inline void emit_hello(enum ev_kind kind, __u64 conn, __u64 from, __u32 n, __u32 off, __u32 dir)
{
	__u64 at;
	struct ev_hello *e = take(sizeof(*e) + n, &at);
	if (!e)
		return; /* the reader sees that bytes are missing */
	fill_hdr(&e->hdr, kind, conn, bpf_ktime_get_ns());
	e->hdr.dir = dir;
	e->hdr.len = n;
	e->off = off;
	e->pad = 0;
	__u32 m = n - 1;
	asm volatile("" : "+r"(m)); /* keeps clang from dropping the mask the verifier wants */
	m &= HELLO_MAX - 1;
	if (bpf_probe_read_user(e + 1, m + 1, (void *)from))
		give_back(e, sizeof(*e) + n, at);
	else
		give(e, sizeof(*e) + n, at);
}

/* Copies the beginning of what goes in one direction of a handshake. It is no part
 * of what was recorded, so that its loss is not counted. */
static __noinline void tell_hello(struct conn *c, __u64 at, __u64 len, __u32 dir)
{
	dir &= 1;
	if (!c)
		return;
	__u32 off = c->hello[dir], n = HELLO_MAX - off;
	if (off >= HELLO_MAX || !len)
		return;
	if (len < n)
		n = len;
	c->hello[dir] = off + n;
	emit_hello(EV_HELLO, c->id, at, n, off, dir);
}

/* Copies what the server added to its hello, encrypted on the wire (RFC 8446 section
 * 4.3.1): a message of n bytes. Of a longer one, a key of ECH in it for one, nothing. */
static __noinline void tell_extensions(struct conn *c, __u64 at, __u64 len)
{
	if (c && len && len <= 512)
		emit_hello(EV_EXTENSIONS, c->id, at, len, 0, DIR_READ);
}

/* The same of what the current system call moved: n bytes. */
static __always_inline void tell_moved(struct conn *c, __u32 n, __u32 dir)
{
	struct span s = {};
	if (moved_by_call(&s))
		tell_hello(c, s.at, s.len < n ? s.len : n, dir);
}

/* Says whether what the current system call moved begins as a record of TLS or DTLS
 * (RFC 8446 section 5.1, RFC 6347 section 4.1). */
static __always_inline bool record_moved(void)
{
	struct span s = {};
	__u8 head[2];
	if (!moved_by_call(&s) || s.len < sizeof(head) || bpf_probe_read_user(head, sizeof(head), (void *)s.at))
		return false;
	return head[0] >= 20 && head[0] <= 23 && (head[1] == 3 || head[1] == 0xfe);
}

/* The connection, if it still is the one that was meant and has not ended. */
static __always_inline struct conn *still(struct head_of *of)
{
	struct conn *c = bpf_map_lookup_elem(&conns, &of->key);
	return c && c->id == of->id && !c->ended ? c : 0;
}

static __always_inline void hello_moved(__u64 ssl, __u32 n, __u32 dir)
{
	struct conn_key k;
	key_of(&k, ssl);
	struct conn *c = bpf_map_lookup_elem(&conns, &k);
	if (c && !c->ended && !c->hs_done && c->hello[dir & 1] < HELLO_MAX)
		tell_moved(c, n, dir);
}

/* How many heads processes wait for, by the low bits of their number as in calls, so that
 * what they send is not read otherwise. One that is never sent, or is pushed out of the
 * table, stays counted. */
volatile __u32 waiting_heads[CALLERS] = {};

/* A send outside any TLS call: is it of a session that wrote into memory? */
static __always_inline void match_sent(struct sock *sk)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct span s = {};
	struct head h = {};
	/* Its session has asked for it by now, if nobody knew before that it would. */
	if (!waiting_heads[CALLER(tgid)] || (!bpf_map_lookup_elem(&linking, &tgid) && !bpf_map_lookup_elem(&asking, &tgid)) ||
	    !moved_by_call(&s) || s.len < sizeof(h) ||
	    bpf_probe_read_user(&h, sizeof(h), (void *)s.at))
		return;
	struct head_of *of = bpf_map_lookup_elem(&heads, &h);
	if (!of || of->key.tgid != tgid)
		return;
	struct conn_key k = of->key;
	struct conn *c = still(of);
	if (c && !c->cookie && network_tuple(sk, &c->tuple)) {
		c->cookie = bpf_get_socket_cookie(sk);
		c->dirty = 1;
		settled(c, tgid);
		if (!c->hs_done) {
			__u64 cookie = c->cookie;
			bpf_map_update_elem(&shaking, &cookie, of, BPF_ANY);
		}
		if (c->announced)
			emit_conn(&k, c, bpf_ktime_get_ns());
	}
	if (!bpf_map_delete_elem(&heads, &h))
		__sync_fetch_and_sub(&waiting_heads[CALLER(tgid)], 1);
}

/* A handshake has written its hello and waits for an answer. Its program may be one
 * that reads from the socket itself and hands on what came (Bun). */
static __always_inline void await_hello(struct task_state *t, struct conn_key *k, struct conn *c)
{
	__u64 cookie = c->cookie;
	struct head_of of = {.key = *k, .id = c->id};
	if (c->hs_done || !cookie || !c->hello[DIR_WRITE] || c->hello[DIR_READ])
		return;
	bpf_map_update_elem(&shaking, &cookie, &of, BPF_ANY);
	t->shakes = 1;
	calls_last();
}

/* How often a hello is looked for on a socket: something else may come before it
 * (STARTTLS, a proxy's word of whom it speaks for). */
#define LOOKS 8

/* n bytes came to a socket of no session: do they begin a client's hello, or go on with
 * the one of which part is known? A session may be found to have read it. */
static __noinline void hello_opens(__u64 cookie, __u32 n, struct head_of *part)
{
	struct span s = {};
	struct head_of of = {};
	__u8 head[6];
	__u32 told = 0, all = 0;
	if (part && !part->key.exec && part->key.ssl >= LOOKS)
		return;
	if (n < sizeof(head) || !moved_by_call(&s) || s.len < sizeof(head) || bpf_probe_read_user(head, sizeof(head), (void *)s.at))
		goto over;
	/* A record of a handshake, and in it a hello (RFC 8446 sections 5.1 and 4). What was
	 * only looked at (MSG_PEEK) comes once more. */
	if (head[0] == 22 && head[1] == 3 && head[5] == 1) {
		all = 5 + (head[3] << 8 | head[4]);
	} else if (part) {
		told = part->key.exec ? part->key.ssl : 0;
		all = part->key.exec;
	}
	if (all > HELLO_MAX)
		all = HELLO_MAX;
	if (told >= all)
		goto over;
	__u32 len = s.len < n ? s.len : n;
	if (len > all - told)
		len = all - told;
	emit_hello(EV_OPENING, cookie, s.at, len, told, DIR_READ);
	/* Where some is in other buffers it stays cut. */
	if (n <= s.len && told + len < all) {
		of.key.ssl = told + len;
		of.key.exec = all;
	}
over:
	if (!of.key.exec)
		of.key.ssl = part && !part->key.exec ? part->key.ssl + 1 : 1;
	bpf_map_update_elem(&shaking, &cookie, &of, BPF_ANY);
}

/* A receive outside any TLS call: does it bring the other side's hello? shakes: the
 * thread has a session that waits for one. */
static __always_inline void hello_received(struct sock *sk, __u32 n, bool shakes)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	bool links = matching && bpf_map_lookup_elem(&linking, &tgid);
	if (!links && !shakes)
		return;
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct head_of *of = bpf_map_lookup_elem(&shaking, &cookie);
	if (!of || !of->id) {
		if (links)
			hello_opens(cookie, n, of);
		return;
	}
	struct conn *c = still(of);
	if (c && !c->hs_done && c->hello[DIR_READ] < HELLO_MAX)
		tell_moved(c, n, DIR_READ);
	else
		bpf_map_delete_elem(&shaking, &cookie);
}

/* BIO_write(bio, data, length) inside a call on a session, or what it calls for memory. */
SEC("uprobe.multi")
int cipher_written(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	struct task_state *t = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, 0);
	if (!t || !t->depth || t->depth > FRAMES || stopped)
		return 0;
	struct frame *f = &t->frames[(t->depth - 1) & (FRAMES - 1)];
	int len = PT_REGS_PARM3(ctx);
	__u64 data = PT_REGS_PARM2(ctx);
	if (len < (int)sizeof(struct head))
		return 0;
	struct head_of of = {};
	struct head h = {};
	key_of(&of.key, f->ssl);
	struct conn *c = bpf_map_lookup_elem(&conns, &of.key);
	if (!c || c->ended)
		return 0;
	if ((c->hs_done && c->cookie) || bpf_probe_read_user(&h, sizeof(h), (void *)data))
		return 0;
	/* Records begin with their type and version (RFC 8446 section 5.1). The library
	 * writes other things into memory too: what it hashes, for one. */
	__u8 *head = (__u8 *)&h;
	if (head[0] < 20 || head[0] > 23 || head[1] != 3)
		return 0;
	if (!c->hs_done)
		tell_hello(c, data, len, DIR_WRITE);
	if (c->cookie)
		return 0;
	of.id = c->id;
	/* Counted first: another thread may send it. */
	__sync_fetch_and_add(&waiting_heads[CALLER(of.key.tgid)], 1);
	if (bpf_map_update_elem(&heads, &h, &of, BPF_NOEXIST)) {
		__sync_fetch_and_sub(&waiting_heads[CALLER(of.key.tgid)], 1);
		bpf_map_update_elem(&heads, &h, &of, BPF_ANY); /* it is there: the last who wrote it counts */
	}
	if (!matching) /* not written again: every CPU reads the line */
		matching = 1;
	return 0;
}

/* A call on a session is over and no socket was used in it, nor before: asks user
 * space to watch what its process writes into memory, and the sockets of its writes.
 * Once the first is watched, a handshake that is going on waits for it to show a socket. */
static __always_inline void ask_link(struct conn *c, __u64 now)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__s32 none = 0;
	if (c->cookie || c->asked || c->local)
		return;
	__u32 *has = bpf_map_lookup_elem(&linking, &tgid);
	if (has && (!(*has & LINK_CALLS) || (c->hs_start && !c->hs_done)))
		return;
	__s32 *waiting = bpf_map_lookup_elem(&asking, &tgid);
	if (!waiting) {
		bpf_map_update_elem(&asking, &tgid, &none, BPF_NOEXIST);
		waiting = bpf_map_lookup_elem(&asking, &tgid);
	}
	/* Without room it asks again at its next call. */
	if (!waiting || !__sync_bool_compare_and_swap(&c->asked, 0, 1))
		return;
	if (__sync_fetch_and_add(waiting, 1) <= 0) {
		emit_bare(EV_UNLINKED, now);
		wake(); /* its next write is a round trip away */
	}
}

#endif
