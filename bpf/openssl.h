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

/* Entry of a call that may move bytes, or whose out-arguments are wanted. */
SEC("uprobe.multi")
int call_enter(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *t = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t) {
		count_loss(LOSS_STATE, 1, 0);
		return 0;
	}
	if (!traced(t))
		return 0;
	__u64 sp = PT_REGS_SP(ctx);
	__u32 d = t->depth;
	/* A frame at or below our own stack pointer was left without a return (longjmp, a lost probe). */
	while (d > 0 && d <= FRAMES && t->frames[(d - 1) & (FRAMES - 1)].sp <= sp)
		d--;
	if (d >= FRAMES) {
		count_loss(LOSS_NEST, 1, 0);
		return 0;
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
		count_loss(LOSS_FAULT, 1, 0);
		return;
	}
	/* More than was asked for means the argument table does not fit this library: copy nothing. */
	if (!n || n > (HOW(f->what) == H_RETURN ? (__u32)f->num : f->num) || n > 0x7fffffff)
		return;
	struct conn *c = bpf_map_lookup_elem(&conns, k);
	if (!c)
		c = conn_new(k, f->what, true);
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
	struct conn *c = bpf_map_lookup_elem(&conns, k);
	if (!c)
		c = conn_new(k, f->what, false);
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

SEC("uprobe.multi")
int call_return(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *t = bpf_task_storage_get(&tasks, task, 0, 0);
	if (!t || !t->depth || t->depth > FRAMES)
		return 0;
	__u64 what = bpf_get_attach_cookie(ctx);
	struct frame *f = &t->frames[(t->depth - 1) & (FRAMES - 1)];
	if (WHAT(f->what) != WHAT(what)) {
		struct counts *n = my_counts();
		if (n)
			__sync_fetch_and_add(&n->unpaired, 1);
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
	t->depth--;
	/* TLS inside TLS: the inner call's socket carries the outer session too. */
	if (t->depth && t->depth < FRAMES) {
		struct frame *outer = &t->frames[(t->depth - 1) & (FRAMES - 1)];
		if (!outer->cookie && f->cookie) {
			outer->cookie = f->cookie;
			outer->tuple = f->tuple;
		}
	}
	return 0;
}

/* SSL_new returned a session: whatever was at that address is gone. */
SEC("uprobe.multi")
int session_new(struct pt_regs *ctx)
{
	__u64 ssl = PT_REGS_RC(ctx), now = bpf_ktime_get_ns();
	struct task_state *t = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0,
						    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!ssl || !t || !traced(t))
		return 0;
	struct conn_key k;
	key_of(&k, ssl);
	struct conn *old = bpf_map_lookup_elem(&conns, &k);
	if (old)
		emit_end(&k, old, 4, now); /* EndReuse */
	conn_new(&k, bpf_get_attach_cookie(ctx), false);
	return 0;
}

/* Calls that tell something of a session by being made. */
SEC("uprobe.multi")
int session_touch(struct pt_regs *ctx)
{
	struct conn_key k;
	key_of(&k, PT_REGS_PARM1(ctx));
	struct conn *c = bpf_map_lookup_elem(&conns, &k);
	if (!c)
		return 0;
	__u64 now = bpf_ktime_get_ns(), cookie = bpf_get_attach_cookie(ctx);
	switch (WHAT(cookie)) {
	case W_UP_REF:
		c->refs++;
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
		if (c->refs) {
			c->refs--;
			break;
		}
		emit_end(&k, c, 1, now); /* EndFree */
		bpf_map_delete_elem(&conns, &k);
		break;
	case W_CLEAR:
		/* Made ready for another connection, in place. */
		if (!c->off[0] && !c->off[1] && !c->hs_start)
			break;
		emit_end(&k, c, 1, now);
		conn_new(&k, cookie, false);
		break;
	}
	return 0;
}

#endif
