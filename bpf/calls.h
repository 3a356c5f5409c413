// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * calls.h - programs on the functions of a TLS library.
 *
 * Which function sits where, what it does and how it passes its arguments is a
 * table in Go: it comes in as the attach cookie. So these few programs serve
 * every library whose functions take a session first, then a buffer and a count.
 */
#ifndef SPLIFF_CALLS_H
#define SPLIFF_CALLS_H

/* How far the stack pointer has moved when a return probe runs: the call's return
 * address is off the stack on x86 and never was on it on arm64. */
#if defined(__TARGET_ARCH_x86)
#define RET_POPS 8
#else
#define RET_POPS 0
#endif

/* Entry of a call that may move bytes, or whose out-arguments are wanted. Returns 1
 * when its return is of no interest; paired: then it is not seen either. */
static __always_inline int entered(struct pt_regs *ctx, bool paired)
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
	__u64 what = bpf_get_attach_cookie(ctx);
	if (FLAGS(what) & F_KNOWN) {
		struct conn_key k;
		key_of(&k, PT_REGS_PARM1(ctx));
		if (!bpf_map_lookup_elem(&conns, &k))
			return 1;
	}
	if (FLAGS(what) & F_TYPED && (__u32)PT_REGS_PARM2(ctx) != APPLICATION_DATA)
		return 1;
	__u64 sp = PT_REGS_SP(ctx);
	__u32 d = t->depth;
	/* A frame at or below our own stack pointer was left without a return (longjmp, a lost probe). */
	for (int i = 0; i < FRAMES; i++) /* counted: the verifier of Linux 6.12 sees no end of it otherwise */
		if (d > 0 && d <= FRAMES && t->frames[(d - 1) & (FRAMES - 1)].sp <= sp)
			d--;
	if (d >= FRAMES) {
		count_loss(LOSS_NEST, 1, 0);
		return 1;
	}
	/* One form of a function calling another: the outer call tells it, and the inner one
	 * may be on a stack of its own (OpenSSL's asynchronous jobs), where the kernel could
	 * not bring it back. */
	if (paired && d > 0) {
		struct frame *outer = &t->frames[(d - 1) & (FRAMES - 1)];
		if (outer->ssl == PT_REGS_PARM1(ctx) && WHAT(outer->what) == WHAT(what))
			return 1;
	}
	asm volatile("" : "+r"(d)); /* keeps clang from dropping the mask the verifier wants */
	struct frame *f = &t->frames[d & (FRAMES - 1)];
	__u64 fourth = PT_REGS_PARM4(ctx), fifth = PT_REGS_PARM5(ctx);
	/* Both are read here: a pointer into ctx chosen at run time is refused by the verifier. */
	asm volatile("" : "+r"(fourth), "+r"(fifth));
	f->ssl = PT_REGS_PARM1(ctx);
	f->buf = PT_REGS_PARM2(ctx);
	f->num = PT_REGS_PARM3(ctx);
	f->out = HOW(what) == H_ARG5 ? fifth : fourth;
	if (FLAGS(what) & F_TYPED) {
		f->buf = f->num;
		f->num = fourth;
	}
	f->start = now;
	f->sp = sp;
	f->cookie = f->local = 0;
	f->sent = f->received = 0;
	f->what = what;
	nests(t, bpf_get_current_pid_tgid() >> 32, d + 1);
	return 0;
}

/* How many bytes a call moved. */
static __always_inline __u64 length(struct frame *f, long rc)
{
	__u64 n = 0;
	switch (HOW(f->what)) {
	case H_RETURN:
	case H_BLIND:
		return rc > 0 ? rc : 0;
	case H_COUNT:
		return rc ? 0 : f->num;
	case H_ARG4:
	case H_ARG5:
		if (rc > 0 && bpf_probe_read_user(&n, sizeof(n), (void *)f->out)) {
			count_loss(LOSS_LENGTH, 1, 0);
			return 0;
		}
		return n;
	}
	return 0;
}

/* Returns the connection, if the call moved something. */
static __always_inline struct conn *moved(struct conn_key *k, struct frame *f, long rc, __u64 now)
{
	__u64 n = length(f, rc);
	__u64 most = HOW(f->what) == H_RETURN ? (__u32)f->num : f->num;
	/* GnuTLS goes on with what it holds of an interrupted send when it is called
	 * without a buffer. What that was is gone by now; how much is told. */
	if (HOW(f->what) == H_BLIND || !f->buf) {
		most = n;
		f->buf = 0;
	}
	/* More than was asked for means the argument table does not fit this library: copy nothing. */
	if (!n || n > most || n > 0x7fffffff)
		return 0;
	struct conn *c = conn_at(k, f->what, true, now);
	if (!c) {
		count_loss(LOSS_STATE, 1, n);
		return c;
	}
	take_link(c, f);
	if (!recorded(c)) {
		count_local(0, 1, n);
		return c;
	}
	emit_conn(k, c, now);
	emit_data(c, f->buf, n, WHAT(f->what) == W_READ ? DIR_READ : DIR_WRITE, f->start, now);
	return c;
}

static __always_inline struct conn *shook(struct conn_key *k, struct frame *f, long rc, __u64 now)
{
	struct conn *c = conn_at(k, f->what, false, now);
	if (!c)
		return c;
	take_link(c, f);
	if (HOW(f->what) == H_CONNECT)
		take_role(c, ROLE_CLIENT);
	else if (HOW(f->what) == H_ACCEPT)
		take_role(c, ROLE_SERVER);
	/* A session that was met when it had moved bytes has its handshake behind it. */
	if (c->hs_done || (c->mid && (c->off[0] || c->off[1])))
		return c;
	if (!c->hs_start)
		c->hs_start = f->start;
	c->hs_last = now;
	/* Anything else is "call again" or a failure; a failure shows when the session ends. */
	if (HOW(f->what) == H_EARLY || rc != (FLAGS(f->what) & F_ZERO ? 0 : 1))
		return c;
	c->hs_done = 1;
	if (!recorded(c))
		return c;
	emit_conn(k, c, now);
	__u64 at;
	struct ev_handshake *e = take(sizeof(*e), &at);
	if (!e) {
		count_loss(LOSS_CONTROL, 1, 0);
		return c;
	}
	fill_hdr(&e->hdr, EV_HANDSHAKE, c->id, now);
	e->dur = now - c->hs_start;
	give(e, sizeof(*e), at);
	return c;
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
	nests(t, bpf_get_current_pid_tgid() >> 32, d - 1);
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
		hand_on(f, outer);
		if (f->local) {
			outer->local = f->local;
			outer->sent |= f->sent;
			outer->received |= f->received;
		}
		/* One form of a function calling another, both probed: the outer call tells it. */
		if (outer->ssl == f->ssl && WHAT(outer->what) == WHAT(what))
			return 0;
	}
	__u64 now = bpf_ktime_get_ns();
	struct conn_key k;
	key_of(&k, f->ssl);
	long rc = (int)PT_REGS_RC(ctx);
	struct conn *c = 0;
	if (WHAT(what) == W_HANDSHAKE) {
		c = shook(&k, f, rc, now);
		if (c)
			await_hello(t, &k, c);
		if (c && c->hs_done && t->young == f->ssl)
			t->young = 0;
	} else if (WHAT(what) == W_ALPN)
		selected(&k, f, PT_REGS_RC(ctx));
	else if (WHAT(what) == W_NEW)
		handed_out(t, f, rc, now);
	else if (WHAT(what) != W_LINK) /* inner_write took what it was for */
		c = moved(&k, f, rc, now);
	if (c)
		ask_link(c, now);
	return 0;
}

/* Up to Linux 6.12 entry and return are two probes, and every process that calls
 * the function has its return address replaced. */
SEC("uprobe.multi")
int call_enter(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	entered(ctx, false);
	return 0;
}

SEC("uprobe.multi")
int call_return(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	return left(ctx);
}

/* kernel/trace/bpf_trace.c, since 6.13: one probe for both, and what its entry does
 * not want leaves no trace in the process. */
extern bool bpf_session_is_return(void) __ksym __weak;

SEC("uprobe.multi")
int call_session(struct pt_regs *ctx)
{
	OWN_STACK_IN_SESSION(ctx);
	return bpf_session_is_return() ? left(ctx) : entered(ctx, true);
}

#endif
