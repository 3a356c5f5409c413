// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * openssl.h - programs on the functions of an OpenSSL-shaped library.
 *
 * Which function sits where, and how it passes its length, is a table in Go: it
 * comes in as the attach cookie. So these few programs serve every library
 * whose functions take (session, buffer, count).
 */
#ifndef SPLIFF_OPENSSL_H
#define SPLIFF_OPENSSL_H

/* The attach cookie: what bits 0-7, how bits 8-15, library id bits 16-23. */
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
	W_ACCEPT_STATE = 10,
	W_CONNECT_STATE = 11,
};
enum how {
	H_RETURN = 0, /* the return value is the length */
	H_ARG4 = 1,   /* returns 1; the length is where argument 4 points */
	H_ARG5 = 2,   /* returns 1; the length is where argument 5 points */
};
#define WHAT(cookie) ((cookie) & 0xff)
#define HOW(cookie) (((cookie) >> 8) & 0xff)
#define LIB(cookie) (((cookie) >> 16) & 0xff)

static __always_inline struct conn *conn_new(struct conn_key *k, __u64 cookie, bool mid)
{
	struct conn c = {};
	c.id = __sync_fetch_and_add(&next_conn, 1) + 1;
	c.mid = mid;
	c.dirty = 1;
	c.probe = LIB(cookie);
	if (bpf_map_update_elem(&conns, k, &c, BPF_ANY))
		return 0;
	return bpf_map_lookup_elem(&conns, k);
}

static __always_inline void key_of(struct conn_key *k, __u64 ssl)
{
	k->ssl = ssl;
	k->tgid = bpf_get_current_pid_tgid() >> 32;
	k->pad = 0;
}

/* How far the stack pointer has moved when a return probe runs: the call's return
 * address is off the stack on x86 and never was on it on arm64. */
#if defined(__TARGET_ARCH_x86)
#define RET_POPS 8
#else
#define RET_POPS 0
#endif

/* Entry of a call that may move bytes, or whose out-arguments are wanted. Returns 1
 * when its return is of no interest. */
static __always_inline int entered(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *t = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t) {
		count_loss(LOSS_STATE, 1, 0);
		return 1;
	}
	if (!traced(t))
		return 1;
	__u64 sp = PT_REGS_SP(ctx);
	__u32 d = t->depth;
	/* A frame at or below our own stack pointer was left without a return (longjmp, a lost probe). */
	while (d > 0 && d <= FRAMES && t->frames[(d - 1) & (FRAMES - 1)].sp <= sp)
		d--;
	if (d >= FRAMES) {
		count_loss(LOSS_NEST, 1, 0);
		return 1;
	}
	struct frame *f = &t->frames[d & (FRAMES - 1)];
	__u64 what = bpf_get_attach_cookie(ctx);
	__u64 fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
	/* Both are read here: a pointer into ctx chosen at run time is refused by the verifier. */
	asm volatile("" : "+r"(fourth), "+r"(fifth));
	f->ssl = PT_REGS_PARM1(ctx);
	f->buf = PT_REGS_PARM2(ctx);
	f->num = PT_REGS_PARM3(ctx);
	f->out = HOW(what) == H_ARG5 ? fifth : fourth;
	f->start = now;
	f->sp = sp;
	f->cookie = 0;
	f->what = what;
	t->depth = d + 1;
	return 0;
}

/* The connection of a session object, made now if it is not known. One that has
 * ended without room for saying so gets another chance to say it first. */
static __always_inline struct conn *conn_at(struct conn_key *k, __u64 cookie, bool mid, __u64 now)
{
	struct conn *c = bpf_map_lookup_elem(&conns, k);
	if (c && !c->ended)
		return c;
	if (c)
		emit_end(k, c, c->ended, now);
	return conn_new(k, cookie, mid);
}

/* First link wins: SSL_set_fd on a live session is rare, and then the bytes
 * already recorded belong to the old socket. */
static __always_inline void take_link(struct conn *c, struct frame *f)
{
	if (!f->cookie || f->cookie == c->cookie)
		return;
	if (c->cookie) {
		c->conflicts++;
	} else {
		c->cookie = f->cookie;
		c->tuple = f->tuple;
	}
	c->dirty = 1;
}

static __always_inline void moved(struct conn_key *k, struct frame *f, long rc, __u64 now)
{
	if (rc <= 0)
		return;
	__u64 n = (__u32)rc;
	if (HOW(f->what) != H_RETURN && bpf_probe_read_user(&n, sizeof(n), (void *)f->out)) {
		count_loss(LOSS_LENGTH, 1, 0);
		return;
	}
	/* More than was asked for means the argument table does not fit this library: copy nothing. */
	if (!n || n > (HOW(f->what) == H_RETURN ? (__u32)f->num : f->num) || n > 0x7fffffff)
		return;
	struct conn *c = conn_at(k, f->what, true, now);
	if (!c) {
		count_loss(LOSS_STATE, 1, n);
		return;
	}
	take_link(c, f);
	emit_conn(k, c, now);
	emit_data(c, f, n, WHAT(f->what) == W_READ ? DIR_READ : DIR_WRITE, now);
}

static __always_inline void shook(struct conn_key *k, struct frame *f, long rc, __u64 now)
{
	struct conn *c = conn_at(k, f->what, false, now);
	if (!c)
		return;
	take_link(c, f);
	if (c->hs_done)
		return;
	if (!c->hs_start)
		c->hs_start = f->start;
	/* Anything but 1 is "call again" or a failure; a failure shows when the session ends. */
	if (rc != 1)
		return;
	c->hs_done = 1;
	emit_conn(k, c, now);
	struct ev_handshake *e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	if (!e) {
		count_loss(LOSS_CONTROL, 1, 0);
		return;
	}
	fill_hdr(&e->hdr, EV_HANDSHAKE, c->id, now);
	e->dur = now - c->hs_start;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

/* SSL_get0_alpn_selected(ssl, &data, &len): both out-arguments are set now. */
static __always_inline void selected(struct conn_key *k, struct frame *f)
{
	struct conn *c = bpf_map_lookup_elem(&conns, k);
	__u64 data = 0;
	__u32 n = 0;
	if (!c || c->alpn_len || bpf_probe_read_user(&data, sizeof(data), (void *)f->buf) ||
	    bpf_probe_read_user(&n, sizeof(n), (void *)f->num) || !data || !n || n > ALPN_LEN)
		return;
	__u32 m = n - 1;
	asm volatile("" : "+r"(m));
	m &= ALPN_LEN - 1;
	if (bpf_probe_read_user(c->alpn, m + 1, (void *)data))
		return;
	c->alpn_len = n;
	c->dirty = 1;
}

static __always_inline void unpaired(void)
{
	struct counts *n = my_counts();
	if (n)
		__sync_fetch_and_add(&n->unpaired, 1);
}

/* Finds the frame that a return belongs to and takes it off. Frames above it were
 * left without a return. The stack pointer decides, not the order of events: a
 * frame of another call would lend its buffer to this call's length. */
static __always_inline struct frame *leave(struct task_state *t, __u64 what, __u64 sp)
{
	__u32 d = t->depth;
	if (!d || d > FRAMES)
		return 0;
	for (int i = 1; i < FRAMES; i++)
		if (d > 1 && t->frames[(d - 1) & (FRAMES - 1)].sp < sp)
			d--;
	asm volatile("" : "+r"(d));
	struct frame *f = &t->frames[(d - 1) & (FRAMES - 1)];
	if (f->sp != sp || WHAT(f->what) != WHAT(what)) {
		unpaired();
		return 0;
	}
	t->depth = d - 1;
	return f;
}

static __always_inline int left(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *t = bpf_task_storage_get(&tasks, task, 0, 0);
	if (!t || stopped)
		return 0;
	__u64 what = bpf_get_attach_cookie(ctx);
	struct frame *f = leave(t, what, PT_REGS_SP(ctx) - RET_POPS);
	if (!f)
		return 0;
	__u32 d = t->depth;
	struct frame *outer = 0;
	if (d && d < FRAMES) {
		asm volatile("" : "+r"(d));
		outer = &t->frames[(d - 1) & (FRAMES - 1)];
		/* TLS inside TLS: the inner call's socket carries the outer session too. */
		if (!outer->cookie && f->cookie) {
			outer->cookie = f->cookie;
			outer->tuple = f->tuple;
		}
		/* One form of a function calling another, both probed: the outer call tells it. */
		if (outer->ssl == f->ssl && WHAT(outer->what) == WHAT(what))
			return 0;
	}
	__u64 now = bpf_ktime_get_ns();
	struct conn_key k;
	key_of(&k, f->ssl);
	long rc = (int)PT_REGS_RC(ctx);
	if (WHAT(what) == W_HANDSHAKE)
		shook(&k, f, rc, now);
	else if (WHAT(what) == W_ALPN)
		selected(&k, f);
	else
		moved(&k, f, rc, now);
	return 0;
}

/* Up to Linux 6.12 entry and return are two probes, and every process that calls
 * the function has its return address replaced. */
SEC("uprobe.multi")
int call_enter(struct pt_regs *ctx)
{
	entered(ctx);
	return 0;
}

SEC("uprobe.multi")
int call_return(struct pt_regs *ctx)
{
	return left(ctx);
}

/* kernel/trace/bpf_trace.c, since 6.13: one probe for both, and what its entry does
 * not want leaves no trace in the process. */
extern bool bpf_session_is_return(void) __ksym __weak;

SEC("uprobe.multi")
int call_session(struct pt_regs *ctx)
{
	return bpf_session_is_return() ? left(ctx) : entered(ctx);
}

static __always_inline struct task_state *wanted(void)
{
	struct task_state *t = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0,
						    BPF_LOCAL_STORAGE_GET_F_CREATE);
	return t && traced(t) ? t : 0;
}

/* SSL_new returned a session: whatever was at that address is gone. */
static __always_inline int made(struct pt_regs *ctx)
{
	__u64 ssl = PT_REGS_RC(ctx);
	if (!ssl || !wanted())
		return 0;
	struct conn_key k;
	key_of(&k, ssl);
	struct conn *old = bpf_map_lookup_elem(&conns, &k);
	if (old)
		emit_end(&k, old, old->ended ? old->ended : 4 /* EndReuse */, bpf_ktime_get_ns());
	conn_new(&k, bpf_get_attach_cookie(ctx), false);
	return 0;
}

SEC("uprobe.multi")
int new_return(struct pt_regs *ctx)
{
	return made(ctx);
}

SEC("uprobe.multi")
int new_session(struct pt_regs *ctx)
{
	return bpf_session_is_return() ? made(ctx) : !wanted();
}

/* Calls that tell something of a session by being made. */
SEC("uprobe.multi")
int session_touch(struct pt_regs *ctx)
{
	struct conn_key k;
	key_of(&k, PT_REGS_PARM1(ctx));
	struct conn *c = bpf_map_lookup_elem(&conns, &k);
	if (!c || c->ended || stopped)
		return 0;
	__u64 now = bpf_ktime_get_ns(), cookie = bpf_get_attach_cookie(ctx);
	switch (WHAT(cookie)) {
	case W_UP_REF:
		__sync_fetch_and_add(&c->refs, 1); /* the only call that needs no lock of the program's */
		break;
	case W_SHUTDOWN:
		c->shutdown = 1;
		break;
	case W_ACCEPT_STATE:
	case W_CONNECT_STATE:
		c->role = WHAT(cookie) == W_ACCEPT_STATE ? 2 : 1;
		c->dirty = 1;
		break;
	case W_FREE:
		if ((__s32)__sync_fetch_and_sub(&c->refs, 1) > 0)
			break;
		c->refs = 0;
		if (emit_end(&k, c, 1, now)) /* EndFree */
			bpf_map_delete_elem(&conns, &k);
		break;
	case W_CLEAR: {
		/* Made ready for another connection, in place. */
		if (!c->off[0] && !c->off[1] && !c->hs_start)
			break;
		__u32 refs = c->refs;
		__u8 role = c->role;
		emit_end(&k, c, 1, now);
		c = conn_new(&k, cookie, false);
		if (c) {
			c->refs = refs;
			c->role = role;
		}
		break;
	}
	}
	return 0;
}

#endif
