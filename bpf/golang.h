// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * golang.h - programs on the functions of Go's crypto/tls.
 *
 * Return probes would change return addresses, which Go's runtime finds when it
 * moves a stack: so return instructions carry an entry probe instead. The kernel has
 * to single-step them; calls that succeed are seen at a place that costs less, where
 * one is proved (record/locate/godone.go).
 */
#ifndef SPLIFF_GOLANG_H
#define SPLIFF_GOLANG_H

/* conn.refs of a Go connection counts the reads and writes in progress, which may
 * outlast Close; this bit says that Close was called. */
#define GO_CLOSED 0x80000000

/* frame.out of a Go call. */
enum {
	GO_COUNTED = 1,  /* in conn.refs */
	GO_ON_STACK = 2, /* buf: bytes below the stack's upper end */
	GO_TOLD = 4,     /* a write whose bytes were told at its entry */
};

/* runtime.g begins with the bounds of its stack; behind them lies what every
 * function's prologue compares with, 0x10(R14). */
struct go_stack {
	__u64 lo, hi;
};

/* Fills in where a goroutine's stack ends: what is said of it is counted from there. */
static __always_inline bool go_stack_top(__u64 g, __u64 *hi)
{
	return !bpf_probe_read_user(hi, sizeof(*hi), (void *)(g + __builtin_offsetof(struct go_stack, hi)));
}

static __always_inline struct frame *go_frame(struct go_calls *s, __u32 depth)
{
	if (!depth || depth > FRAMES)
		return 0;
	asm volatile("" : "+r"(depth)); /* keeps clang from dropping the mask the verifier wants */
	return &s->frames[(depth - 1) & (FRAMES - 1)];
}

/* A handshake begins: with it a connection, unless it is a renegotiation. */
static __always_inline void go_begins(struct conn_key *k, struct frame *f, struct frame *outer)
{
	if (outer && WHAT(outer->what) == W_RENEG)
		return;
	struct conn *c = born(k, f->what, f->start);
	if (!c) {
		count_loss(LOSS_STATE, 1, 0);
		return;
	}
	c->hs_start = f->start;
	/* The read or write that began it is one of the connection's. */
	if (outer && outer->ssl == k->ssl && (WHAT(outer->what) == W_READ || WHAT(outer->what) == W_WRITE)) {
		outer->out |= GO_COUNTED;
		c->refs = 1;
	}
}

/* A client's handshake goes on with the server's EncryptedExtensions. */
static __always_inline void go_extensions(struct frame *f, __u64 at, __u64 len)
{
	struct conn_key k;
	if (!f || WHAT(f->what) != W_HANDSHAKE)
		return;
	key_of(&k, f->ssl);
	struct conn *c = bpf_map_lookup_elem(&conns, &k);
	if (c && !c->ended && !c->hs_done)
		tell_extensions(c, at, len);
}

SEC("uprobe.multi")
int go_enter(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *t = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t) {
		count_loss(LOSS_STATE, 1, 0);
		return 0;
	}
	if (!traced(t))
		return 0;
	calls_last();
	__u64 g = GO_G(ctx);
	struct go_stack stack;
	struct go_calls *s = go_calls_of(g);
	__u64 what = bpf_get_attach_cookie(ctx);
	if (WHAT(what) == W_EXTENSIONS) {
		if (s)
			go_extensions(go_frame(s, s->depth), GO_REG2(ctx), GO_REG3(ctx));
		return 0;
	}
	if (!s)
		s = go_first_call(g);
	if (!s || bpf_probe_read_user(&stack, sizeof(stack), (void *)g)) {
		count_loss(LOSS_STATE, 1, 0);
		return 0;
	}
	__u64 sp = stack.hi - PT_REGS_SP(ctx);
	__u32 d = s->depth;
	/* Calls this deep or deeper were left without a return (a panic), or entered
	 * twice: the stack had to grow first. */
	while (d > 0 && d <= FRAMES && s->frames[(d - 1) & (FRAMES - 1)].sp >= sp)
		d--;
	if (d >= FRAMES) {
		count_loss(LOSS_NEST, 1, 0);
		return 0;
	}
	s->depth = d + 1;
	struct frame *f = go_frame(s, d + 1);
	if (!f)
		return 0;
	f->ssl = GO_REG1(ctx);
	f->buf = GO_REG2(ctx);
	f->num = GO_REG3(ctx);
	f->out = 0;
	f->start = bpf_ktime_get_ns();
	f->sp = sp;
	f->cookie = f->local = 0;
	f->sent = f->received = 0;
	f->what = what;
	struct conn_key k;
	key_of(&k, f->ssl);
	switch (WHAT(what)) {
	case W_HANDSHAKE: {
		struct frame *outer = go_frame(s, d);
		asm volatile("" : "+r"(outer)); /* keeps clang from testing d instead, of which the verifier knows less */
		go_begins(&k, f, outer);
		break;
	}
	case W_READ:
	case W_WRITE: {
		struct conn *c = bpf_map_lookup_elem(&conns, &k);
		if (c && !c->ended) {
			__sync_fetch_and_add(&c->refs, 1);
			f->out |= GO_COUNTED;
			/* Another goroutine can have read the answer before this write returns: told
			 * then, it would come after the answer. A write that fails breaks the
			 * connection for good, so at most the end of its last write is told in vain. */
			if (WHAT(what) == W_WRITE && (c->hs_done || c->mid)) {
				f->out |= GO_TOLD;
				moved(&k, f, f->num, f->start);
				break;
			}
		}
		if (f->buf >= stack.lo && f->buf < stack.hi) {
			f->buf = stack.hi - f->buf;
			f->out |= GO_ON_STACK;
		}
	}
	}
	return 0;
}

/* Ends a connection that is closed and has no call in progress. */
static __always_inline void go_ends(struct conn_key *k, struct conn *c, __u64 now)
{
	if (emit_end(k, c, END_FREE, now))
		bpf_map_delete_elem(&conns, k);
}

static __always_inline void go_close(struct conn_key *k, __u64 now)
{
	struct conn *c = bpf_map_lookup_elem(&conns, k);
	if (!c || c->ended || c->refs & GO_CLOSED)
		return;
	c->shutdown = 1;
	if (!__sync_fetch_and_add(&c->refs, GO_CLOSED))
		go_ends(k, c, now);
}

/* negotiateALPN has returned a string to the server's handshake. */
static __always_inline void go_selected(struct pt_regs *ctx, struct frame *f)
{
	__u64 n = GO_REG2(ctx);
	struct conn_key k;
	key_of(&k, f->ssl);
	struct conn *c = bpf_map_lookup_elem(&conns, &k);
	if (!c || WHAT(f->what) != W_HANDSHAKE || !n || n > ALPN_LEN)
		return;
	__u32 m = n - 1;
	asm volatile("" : "+r"(m));
	m &= ALPN_LEN - 1;
	if (bpf_probe_read_user(c->alpn, m + 1, (void *)GO_REG1(ctx)))
		return;
	c->alpn_len = n;
	c->dirty = 1;
}

/* The arguments of a read or write, as its caller left room for them. */
struct go_args {
	__u64 conn, buf, len;
};

static __always_inline void go_moved_unseen(struct go_args *args, __u64 buf, __u64 n, __u64 what)
{
	struct frame f = {};
	struct conn_key k;
	f.ssl = args->conn;
	f.buf = buf;
	f.num = args->len;
	f.start = bpf_ktime_get_ns();
	f.what = what;
	key_of(&k, f.ssl);
	moved(&k, &f, n, f.start);
}

/* A read or write whose beginning was not seen, as it began before the recording:
 * many connections wait in a read. Its arguments are found where the caller left
 * room for them, if the function keeps them there. */
static __always_inline int go_unseen(__u64 what, __u64 entry, __u64 n)
{
	struct task_state *t = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0,
						    BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct go_args args;
	if ((WHAT(what) != W_READ && WHAT(what) != W_WRITE) || (long)n <= 0 || !t || !traced(t))
		return 0;
	if (!(FLAGS(what) & F_SPILLED) || bpf_probe_read_user(&args, sizeof(args), (void *)entry + 8)) {
		count_loss(LOSS_STATE, 1, n);
		return 0;
	}
	go_moved_unseen(&args, args.buf, n, what);
	return 0;
}

/* What a read or write leaves behind it, besides its bytes. */
static __always_inline void go_moved(struct conn_key *k, struct frame *f, __u64 now)
{
	struct conn *c = f->out & GO_COUNTED ? bpf_map_lookup_elem(&conns, k) : 0;
	if (c && f->out & GO_TOLD) {
		take_link(c, f);
		if (recorded(c))
			emit_conn(k, c, now);
	}
	if (c && __sync_fetch_and_sub(&c->refs, 1) == GO_CLOSED + 1)
		go_ends(k, c, now);
}

/* As go_unseen, at the place of go_done. Of a write, the arguments are not known. */
static __always_inline int go_unseen_done(struct pt_regs *ctx, __u64 what, __u64 entry)
{
	struct go_args args;
	if (WHAT(what) != W_READ) {
		count_loss(LOSS_STATE, 1, 0);
		return 0;
	}
	if (bpf_probe_read_user(&args, sizeof(args), (void *)entry + 8) || args.buf != GO_REG1(ctx)) {
		count_loss(LOSS_STATE, 1, GO_REG3(ctx));
		return 0;
	}
	go_moved_unseen(&args, GO_REG2(ctx), GO_REG3(ctx), what);
	return 0;
}

/* A place that every read or write passes which succeeds: user space has proved that
 * no other way leads to the returns behind it, which carry no probe then. A read is
 * about to copy its plaintext to where its caller wants it: memmove(to, from, n). A
 * write has sent everything. The stack pointer of the function's entry is as far from
 * here as the cookie says. */
SEC("uprobe.multi")
int go_done(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	if (stopped)
		return 0;
	__u64 what = bpf_get_attach_cookie(ctx), entry = PT_REGS_SP(ctx) + (what >> 32);
	bool read = WHAT(what) == W_READ;
	__u64 n = GO_REG3(ctx), now = bpf_ktime_get_ns();
	struct task_state *t = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0,
						    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t || !traced(t))
		return 0;
	__u64 g = GO_G(ctx), hi = 0;
	struct frame *f = 0;
	struct conn_key k;
	struct go_calls *s = go_calls_of(g);
	__u32 d = 0;
	if (s && go_stack_top(g, &hi)) {
		d = s->depth;
		while (d > 0 && d <= FRAMES && s->frames[(d - 1) & (FRAMES - 1)].sp > hi - entry)
			d--;
		f = go_frame(s, d);
		if (f && (f->sp != hi - entry || WHAT(f->what) != WHAT(what)))
			f = 0;
	}
	if (!f)
		return go_unseen_done(ctx, what, entry);
	if (f->out & GO_ON_STACK) {
		f->buf = hi - f->buf;
		f->out &= ~GO_ON_STACK;
	}
	key_of(&k, f->ssl);
	if (read && f->buf != GO_REG1(ctx)) {
		count_loss(LOSS_LENGTH, 1, n); /* not what it was taken for: copy nothing */
	} else if (!(f->out & GO_TOLD)) {
		if (read)
			f->buf = GO_REG2(ctx);
		/* A write that fails breaks the connection: its end is told in vain, as in go_enter. */
		moved(&k, f, read ? n : f->num, now);
	}
	s->depth = --d;
	struct frame *outer = go_frame(s, d);
	if (outer)
		hand_on(f, outer);
	go_moved(&k, f, now);
	if (!d)
		go_last_call(g, false);
	return 0;
}

/* A call is about to return n, or has; at its entry the stack pointer was entry. */
static __always_inline int go_left(struct pt_regs *ctx, __u64 what, __u64 entry, __u64 n)
{
	__u64 g = GO_G(ctx), hi = 0;
	struct go_calls *s = go_calls_of(g);
	if (!s || !go_stack_top(g, &hi))
		return go_unseen(what, entry, n);
	__u64 sp = hi - entry;
	__u32 d = s->depth;
	while (d > 0 && d <= FRAMES && s->frames[(d - 1) & (FRAMES - 1)].sp > sp)
		d--;
	struct frame *f = go_frame(s, d);
	if (f && WHAT(what) == W_ALPN) {
		go_selected(ctx, f);
		return 0;
	}
	if (!f || f->sp != sp || WHAT(f->what) != WHAT(what)) {
		/* Not the end of a read that is in progress: a panic calls what it defers. */
		bool panics = f && WHAT(f->what) == W_READ && WHAT(what) == W_READ;
		return panics ? 0 : go_unseen(what, entry, n);
	}
	s->depth = --d;
	struct frame *outer = go_frame(s, d);
	if (outer)
		hand_on(f, outer);
	__u64 now = bpf_ktime_get_ns();
	struct conn_key k;
	key_of(&k, f->ssl);
	switch (WHAT(what)) {
	case W_HANDSHAKE:
		shook(&k, f, n ? 0 : 1, now); /* an error is an interface, nil has no type */
		break;
	case W_FREE:
		go_close(&k, now);
		break;
	case W_READ:
	case W_WRITE:
		if (f->out & GO_ON_STACK)
			f->buf = hi - f->buf;
		/* Bytes count also when an error comes with them (io.Reader). */
		if (!(f->out & GO_TOLD))
			moved(&k, f, n, now);
		go_moved(&k, f, now);
	}
	if (!d)
		go_last_call(g, WHAT(what) == W_FREE);
	return 0;
}

SEC("uprobe.multi")
int go_leave(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	if (stopped)
		return 0;
	return go_left(ctx, bpf_get_attach_cookie(ctx), PT_REGS_SP(ctx), GO_REG1(ctx));
}

/* The function that a read defers begins: it has put its results onto the stack and
 * still has the connection's lock. The cookie says how far above the stack pointer the
 * first result is, and the stack pointer of the read's entry. */
SEC("uprobe.multi")
int go_exit(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	if (stopped)
		return 0;
	__u64 what = bpf_get_attach_cookie(ctx), n = 0;
	if (bpf_probe_read_user(&n, sizeof(n), (void *)PT_REGS_SP(ctx) + (what >> 48))) {
		count_loss(LOSS_LENGTH, 1, 0);
		return 0;
	}
	return go_left(ctx, what, PT_REGS_SP(ctx) + ((what >> 32) & 0xffff), n);
}

#endif
