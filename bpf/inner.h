// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * inner.h - reads seen from inside the library, by one probe each.
 *
 * Where user space has proved that a place in the code is reached once for every
 * read, with its result in the return register and its arguments in registers
 * that calls preserve, nothing has to be remembered from an entry, and no return
 * has to be caught. What a call took is not known there.
 */
#ifndef SPLIFF_INNER_H
#define SPLIFF_INNER_H

/* Where the values are: four bits each in the attach cookie, by the numbers of
 * calleeSaved in record/symbolic.go. */
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
	/* All are read: a place in ctx chosen at run time is refused by the verifier. */
	__u64 saved[8] = {ctx->bx, ctx->bp, ctx->r12, ctx->r13, ctx->r14, ctx->r15, 0, 0};
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
	__u64 now = bpf_ktime_get_ns();
	struct frame f = {.buf = saved[AT_BUFFER(cookie)], .start = now};
	struct conn_key k;
	key_of(&k, saved[AT_SESSION(cookie)]);
	struct conn *c = conn_at(&k, cookie, true, now);
	if (!c) {
		count_loss(LOSS_STATE, 1, n);
		return 0;
	}
	if (!recorded(c)) {
		count_local(0, 1, n);
		return 0;
	}
	emit_conn(&k, c, now);
	emit_data(c, &f, n, DIR_READ, now);
#endif
	return 0;
}

#endif
