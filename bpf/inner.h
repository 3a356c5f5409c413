// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * inner.h - reads seen from inside the library, by one probe each.
 *
 * Where user space has proved that a place in the code is reached once for every
 * read, with its result in the return register and its arguments in registers
 * that calls preserve, nothing has to be remembered from an entry, and no return
 * has to be caught. What a call took is not known there.
 * Or a place that is reached once for every record that is read, before it is copied.
 */
#ifndef SPLIFF_INNER_H
#define SPLIFF_INNER_H

/* All are read: a place in ctx chosen at run time is refused by the verifier. The
 * numbers are those of calleeSaved in record/symbolic.go. */
#if defined(__TARGET_ARCH_x86)
#define SAVED_REGISTERS(ctx) {(ctx)->bx, (ctx)->bp, (ctx)->r12, (ctx)->r13, (ctx)->r14, (ctx)->r15}
#endif

/* Tells that n bytes were read, which are at from. */
static __always_inline void read_inside(__u64 ssl, __u64 cookie, __u64 from, __u64 n)
{
	__u64 now = bpf_ktime_get_ns();
	struct frame f = {.buf = from, .start = now};
	struct conn_key k;
	key_of(&k, ssl);
	struct conn *c = conn_at(&k, cookie, true, now);
	if (!c) {
		count_loss(LOSS_STATE, 1, n);
		return;
	}
	if (!recorded(c)) {
		count_local(0, 1, n);
		return;
	}
	emit_conn(&k, c, now);
	emit_data(c, &f, n, DIR_READ, now);
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
#if defined(__TARGET_ARCH_x86)
	long rc = (int)PT_REGS_RC(ctx);
	if (rc <= 0)
		return 0; /* nothing to read yet, or an error */
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u64 saved[8] = SAVED_REGISTERS(ctx);
	if (AT_PEEK(cookie) != NO_REGISTER && (int)saved[AT_PEEK(cookie)])
		return 0;
	struct task_state *t = wanted();
	__u64 n = 0;
	if (!t)
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

/* Where the values are when a record is copied to its reader: eight bits each in the
 * attach cookie, as struct places of record/innercopy.go. */
#define COPY_SESSION(cookie) ((cookie) >> 32)
#define COPY_KIND(cookie) ((cookie) >> 40)
#define COPY_PEEK(cookie) ((cookie) >> 48)

/* The registers that calls preserve and the top of the stack: in words of four bytes,
 * as those numbers count them. */
union near {
	struct {
		__u64 saved[6];
		__u64 stack[8];
	};
	__u32 word[32];
	__u64 pair[16];
};

/* At memcpy(buffer, record, n). Nothing is in the buffer yet: it is told from the record. */
SEC("uprobe.multi")
int inner_copy(struct pt_regs *ctx)
{
#if defined(__TARGET_ARCH_x86)
	__u64 cookie = bpf_get_attach_cookie(ctx);
	struct task_state *t = wanted();
	if (!t)
		return 0;
	/* One read of all: it costs more than what it reads. */
	union near at = {.saved = SAVED_REGISTERS(ctx)};
	if (bpf_probe_read_user(at.stack, sizeof(at.stack), (void *)PT_REGS_SP(ctx))) {
		count_loss(LOSS_LENGTH, 1, 0);
		return 0;
	}
	__u32 kind = at.word[COPY_KIND(cookie) & 31], peek = at.word[COPY_PEEK(cookie) & 31];
	__u64 ssl = at.pair[COPY_SESSION(cookie) >> 1 & 15], n = PT_REGS_PARM3(ctx);
	enum { APPLICATION_DATA = 23, RECORD_MAX = 16384 }; /* RFC 8446 section 5.1 */
	/* More than fits into a record means that this is not the place it was taken for. */
	if (kind != APPLICATION_DATA || peek || !n || n > RECORD_MAX)
		return 0;
	read_inside(ssl, cookie, PT_REGS_PARM2(ctx), n);
#endif
	return 0;
}

#endif
