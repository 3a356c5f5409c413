// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * inner.h - reads seen from inside the library, by one probe each.
 *
 * Where user space has proved that a place in the code is reached once for every
 * read, with its result in the return register and its arguments in registers
 * that calls preserve, nothing has to be remembered from an entry, and no return
 * has to be caught. What a call took is not known there.
 * Or a place that is reached once for every record that is read, before it is copied,
 * or that is written, after it was sent.
 */
#ifndef SPLIFF_INNER_H
#define SPLIFF_INNER_H

/* All are read: a place in ctx chosen at run time is refused by the verifier. The
 * numbers are those of calleeSaved in record/symbolic.go. */
#if defined(__TARGET_ARCH_x86)
#define SAVED_REGISTERS(ctx) {(ctx)->bx, (ctx)->bp, (ctx)->r12, (ctx)->r13, (ctx)->r14, (ctx)->r15}
#endif

/* Tells that n bytes were moved, which are at from. */
static __always_inline void tell_inside(struct conn_key *k, struct conn *c, __u64 from, __u64 n, __u32 dir, __u64 now)
{
	if (!recorded(c)) {
		count_local(0, 1, n);
		return;
	}
	emit_conn(k, c, now);
	emit_data(c, from, n, dir, now, now);
}

static __always_inline void read_inside(__u64 ssl, __u64 cookie, __u64 from, __u64 n)
{
	__u64 now = bpf_ktime_get_ns();
	struct conn_key k;
	key_of(&k, ssl);
	struct conn *c = conn_at(&k, cookie, true, now);
	if (c)
		tell_inside(&k, c, from, n, DIR_READ, now);
	else
		count_loss(LOSS_STATE, 1, n);
}

/* The socket of a session that is not linked to one yet may have been used in the call
 * that it is in, if that is watched (W_LINK). */
static __always_inline void find_socket(struct conn_key *k, struct conn *c, __u64 now)
{
	bool told = c->announced && recorded(c);
	struct task_struct *task = bpf_get_current_task_btf();
	struct frame *f = current_call(task, bpf_task_storage_get(&tasks, task, 0, 0));
	if (f && WHAT(f->what) == W_LINK && f->ssl == k->ssl) {
		take_link(c, f);
		f->ssl = 0;
	}
	if (told && !recorded(c)) {
		c->local = 0;
		emit_end(k, c, 0, now);
		c->local = 1;
		c->announced = 0;
	}
	ask_link(c, now);
}

static __always_inline void written_inside(__u64 ssl, __u64 cookie, __u64 from, __u64 n)
{
	__u64 now = bpf_ktime_get_ns();
	struct conn_key k;
	key_of(&k, ssl);
	struct conn *c = conn_at(&k, cookie, true, now);
	if (!c) {
		count_loss(LOSS_STATE, 1, n);
		return;
	}
	if (!c->cookie || c->local)
		find_socket(&k, c, now);
	tell_inside(&k, c, from, n, DIR_WRITE, now);
}

/* Where the values are at the end of a read: four bits each in the attach cookie. */
#define AT_SESSION(cookie) (((cookie) >> 32) & 7)
#define AT_BUFFER(cookie) (((cookie) >> 36) & 7)
#define AT_OUT(cookie) (((cookie) >> 40) & 7)
#define AT_PEEK(cookie) (((cookie) >> 44) & 7)
#define AT_LENGTH(cookie) (((cookie) >> 48) & 7)
#define NO_REGISTER 7

SEC("uprobe.multi")
int inner_read(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
#if defined(__TARGET_ARCH_x86)
	long rc = (int)PT_REGS_RC(ctx);
	if (rc <= 0)
		return 0; /* nothing to read yet, or an error */
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u64 saved[8] = SAVED_REGISTERS(ctx);
	if (AT_PEEK(cookie) != NO_REGISTER && (int)saved[AT_PEEK(cookie)])
		return 0;
	__u64 n = 0;
	if (!chosen())
		return 0;
	if (bpf_probe_read_user(&n, sizeof(n), (void *)saved[AT_OUT(cookie)])) {
		count_loss(LOSS_LENGTH, 1, 0);
		return 0;
	}
	/* More than was asked for means that this is not the place it was taken for. */
	if (!n || n > 0x7fffffff || (AT_LENGTH(cookie) != NO_REGISTER && n > saved[AT_LENGTH(cookie)]))
		return 0;
	read_inside(saved[AT_SESSION(cookie)], cookie, saved[AT_BUFFER(cookie)], n);
#endif
	return 0;
}

/* Where the values are at the other places, in the attach cookie, as struct places of
 * record/places.go: words of eight bytes, five bits each, then words of four, six bits. */
enum pair { P_SESSION, P_BUFFER, P_OFFSET, P_OUT };
enum word { W_KIND, W_PEEK };
#define PAIR(cookie, i) (((cookie) >> (32 + 5 * (i))) & 31)
#define WORD(cookie, i) (((cookie) >> (52 + 6 * (i))) & 63)
#define NO_WORD 63
/* How many words of eight bytes of the stack these are in: where others tell how. */
#define NEAR_STACK(cookie) HOW(cookie)

/* The registers that calls preserve and the top of the stack. */
#define SAVED 6
#define STACK 16
union near {
	struct {
		__u64 saved[SAVED];
		__u64 stack[STACK];
	};
	__u64 pair[SAVED + STACK];
	__u32 word[2 * (SAVED + STACK)];
};

/* 0 of a place that is none. */
static __always_inline __u64 pair_at(union near *at, __u64 n)
{
	return n < SAVED + STACK ? at->pair[n] : 0;
}

static __always_inline __u32 word_at(union near *at, __u64 n)
{
	return n < 2 * (SAVED + STACK) ? at->word[n] : 0;
}

#if defined(__TARGET_ARCH_x86)
/* What is found there. */
struct seen {
	__u64 ssl;
	__u64 from; /* the buffer, from where it is moved */
	__u64 out;
	__u32 kind; /* application data, if it can be nothing else */
	__u32 peek;
};

static __always_inline bool look(struct pt_regs *ctx, __u64 cookie, struct seen *s)
{
	union near at = {.saved = SAVED_REGISTERS(ctx), .stack = {}};
	__u32 n = NEAR_STACK(cookie);
	/* One read of all that is needed: it costs more than what it reads. */
	if (n > STACK)
		return false;
	asm volatile("" : "+r"(n)); /* keeps clang from testing both at once, which the verifier does not follow */
	if (n && bpf_probe_read_user(at.stack, n * 8, (void *)PT_REGS_SP(ctx))) {
		count_loss(LOSS_LENGTH, 1, 0);
		return false;
	}
	s->ssl = pair_at(&at, PAIR(cookie, P_SESSION));
	s->from = pair_at(&at, PAIR(cookie, P_BUFFER)) + pair_at(&at, PAIR(cookie, P_OFFSET));
	s->out = pair_at(&at, PAIR(cookie, P_OUT));
	s->kind = WORD(cookie, W_KIND) == NO_WORD ? APPLICATION_DATA : word_at(&at, WORD(cookie, W_KIND));
	s->peek = word_at(&at, WORD(cookie, W_PEEK));
	return true;
}
#endif

/* At memcpy(buffer, record, n). Nothing is in the buffer yet: it is told from the record. */
SEC("uprobe.multi")
int inner_copy(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
#if defined(__TARGET_ARCH_x86)
	__u64 cookie = bpf_get_attach_cookie(ctx), n = PT_REGS_PARM3(ctx);
	struct seen s;
	if (!chosen() || !look(ctx, cookie, &s))
		return 0;
	/* More than fits into a record means that this is not the place it was taken for. */
	if (s.kind != APPLICATION_DATA || s.peek || !n || n > RECORD_MAX)
		return 0;
	read_inside(s.ssl, cookie, PT_REGS_PARM2(ctx), n);
#endif
	return 0;
}

/* Behind a call that sends some of the buffer, of which it returns how much through its
 * last argument: many records at once, where there are ciphers in parallel. */
SEC("uprobe.multi")
int inner_write(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
#if defined(__TARGET_ARCH_x86)
	if ((int)PT_REGS_RC(ctx) <= 0)
		return 0; /* the socket is full, or an error */
	__u64 cookie = bpf_get_attach_cookie(ctx);
	struct seen s;
	if (!chosen() || !look(ctx, cookie, &s))
		return 0;
	if (s.kind != APPLICATION_DATA || !s.out || s.out > 64 * RECORD_MAX)
		return 0;
	written_inside(s.ssl, cookie, s.from, s.out);
#endif
	return 0;
}

#endif
