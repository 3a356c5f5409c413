// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * touch.h - programs on functions that tell something by being called.
 */
#ifndef SPLIFF_TOUCH_H
#define SPLIFF_TOUCH_H

/* A function has returned a new session. */
static __always_inline int made(struct pt_regs *ctx)
{
	__u64 ssl = PT_REGS_RC(ctx);
	struct task_state *t = ssl ? wanted() : 0;
	if (!t)
		return 0;
	struct conn_key k;
	key_of(&k, ssl);
	t->young = ssl;
	born(&k, bpf_get_attach_cookie(ctx), bpf_ktime_get_ns());
	return 0;
}

SEC("uprobe.multi")
int new_return(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	return made(ctx);
}

SEC("uprobe.multi")
int new_session(struct pt_regs *ctx)
{
	OWN_STACK_IN_SESSION(ctx);
	return bpf_session_is_return() ? made(ctx) : !wanted();
}

/* Calls that tell something of a session by being made. */
SEC("uprobe.multi")
int session_touch(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	struct conn_key k;
	key_of(&k, PT_REGS_PARM1(ctx));
	struct conn *c = bpf_map_lookup_elem(&conns, &k);
	if (stopped)
		return 0;
	__u64 now = bpf_ktime_get_ns(), cookie = bpf_get_attach_cookie(ctx);
	__u32 what = WHAT(cookie);
	if (what == W_INIT || (what == W_SEEN && !c)) {
		struct task_state *t = wanted();
		if (!t)
			return 0;
		if (what == W_INIT) {
			t->young = k.ssl;
			born(&k, cookie, now);
		} else {
			conn_new(&k, cookie, true);
		}
		return 0;
	}
	if (!c || c->ended)
		return 0;
	switch (what) {
	case W_UP_REF:
		__sync_fetch_and_add(&c->refs, 1); /* the only call that needs no lock of the program's */
		break;
	case W_SHUTDOWN:
		c->shutdown = 1;
		break;
	case W_SERVER:
		take_role(c, ROLE_SERVER);
		break;
	case W_CLIENT:
		take_role(c, ROLE_CLIENT);
		break;
	case W_ROLE:
		take_role(c, (int)PT_REGS_PARM2(ctx) ? ROLE_SERVER : ROLE_CLIENT);
		break;
	case W_FREE:
		if ((__s32)__sync_fetch_and_sub(&c->refs, 1) > 0)
			break;
		c->refs = 0;
		buried(&k, c, now);
		if (emit_end(&k, c, END_FREE, now))
			bpf_map_delete_elem(&conns, &k);
		break;
	case W_CLEAR: {
		/* Made ready for another connection, in place. */
		if (!c->off[0] && !c->off[1] && !c->hs_start)
			break;
		__u32 refs = c->refs;
		__u8 role = c->role;
		emit_end(&k, c, END_FREE, now);
		buried(&k, c, now);
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
