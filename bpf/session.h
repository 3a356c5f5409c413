// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * session.h - what is known of a TLS session: its birth, role, protocol and end.
 */
#ifndef SPLIFF_SESSION_H
#define SPLIFF_SESSION_H

/* As format.Role and format.EndReason. */
enum { ROLE_CLIENT = 1, ROLE_SERVER = 2 };
enum { END_FREE = 1, END_REUSE = 4 };

/* A session that a process was forked with, met at its first call there: its socket and
 * role are what they were in the parent, which may have freed its own by now. */
static __always_inline void inherit(struct conn_key *k, struct conn *c)
{
	struct task_struct *leader = bpf_get_current_task_btf()->group_leader;
	struct task_struct *parent = BPF_CORE_READ(leader, real_parent);
	__u64 forked = leader->start_time;
	struct conn_key of = {.ssl = k->ssl, .start = BPF_CORE_READ(parent, group_leader, start_boottime),
			      .exec = BPF_CORE_READ(parent, self_exec_id), .tgid = BPF_CORE_READ(parent, tgid)};
	if (of.exec != k->exec)
		return;
	struct conn *p = bpf_map_lookup_elem(&conns, &of);
	struct estate *e = bpf_map_lookup_elem(&estates, &of);
	if (p && !p->ended && p->born < forked) {
		c->cookie = p->cookie;
		c->tuple = p->tuple;
		c->role = p->role;
		c->local = p->local;
	} else if (e && e->born < forked && e->freed > forked) {
		c->cookie = e->cookie;
		c->tuple = e->tuple;
		c->role = e->role;
		c->local = e->local;
	}
	if (c->local)
		count_local(1, 0, 0);
}

/* A function of its own for the sake of the stack: it has half of what there is. */
static __noinline struct conn *conn_new(struct conn_key *k, __u64 cookie, bool mid)
{
	struct conn c = {};
	c.id = __sync_fetch_and_add(&next_conn, 1) + 1;
	c.mid = mid;
	c.dirty = 1;
	c.probe = LIB(cookie);
	c.born = bpf_ktime_get_ns();
	if (mid)
		inherit(k, &c);
	if (bpf_map_update_elem(&conns, k, &c, BPF_ANY))
		return 0;
	return bpf_map_lookup_elem(&conns, k);
}

static __always_inline void key_of(struct conn_key *k, __u64 ssl)
{
	struct program is;
	k->tgid = this_program(&is);
	k->ssl = ssl;
	k->start = is.start;
	k->exec = is.exec;
	k->pad = 0;
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

/* Keeps of a session that is freed what a child may still need. */
static __always_inline void bequeath(struct conn_key *k, struct conn *c, __u64 now)
{
	struct estate e = {.cookie = c->cookie, .born = c->born, .freed = now, .tuple = c->tuple, .role = c->role, .local = c->local};
	if (c->cookie)
		bpf_map_update_elem(&estates, k, &e, BPF_ANY);
}

/* Whose socket is known, or who is gone, waits for that no longer. */
static __always_inline void settled(struct conn *c, __u32 tgid)
{
	if (!c->asked || !__sync_bool_compare_and_swap(&c->asked, 1, 0))
		return;
	__s32 *waiting = bpf_map_lookup_elem(&asking, &tgid);
	if (waiting)
		__sync_fetch_and_sub(waiting, 1);
}

/* A session object is gone, or is made another's. */
static __always_inline void buried(struct conn_key *k, struct conn *c, __u64 now)
{
	bequeath(k, c, now);
	settled(c, k->tgid);
}

/* Says whether a frame of a call that is watched on demand is one no longer: its probes
 * may have gone while it was in progress, or it has told its socket. */
static __always_inline bool stale_link(struct frame *f)
{
	enum { LINK_MAX = 2000000000 }; /* ns; a write that blocks longer is linked by the next one */
	return WHAT(f->what) == W_LINK && (!f->ssl || bpf_ktime_get_ns() - f->start > LINK_MAX);
}

/* Decides whether a session that has told nothing yet goes through a socket that is
 * no network's (AF_UNIX, AF_VSOCK …): from then on nothing of it is recorded, unless
 * that is wanted.
 *
 * What moved there looked like a record, so it may still be another session's, of a
 * callback: to have sent is proof in a write alone. And a write that used no socket at
 * all shows that the session's bytes go through memory (BIO_s_mem), whatever else was
 * seen: then it begins here, as one met in its middle. */
static __always_inline void choose_local(struct conn *c, struct frame *f)
{
	bool link = WHAT(f->what) == W_LINK, write = link || WHAT(f->what) == W_WRITE;
	if (c->local) {
		if (f->cookie || (write && !f->local)) {
			count_local(-1, 0, 0);
			c->local = c->cookie = 0;
			c->mid |= !keep_local;
			c->dirty = 1;
			/* Its END was told if it had begun. */
			if (!keep_local && (c->off[0] || c->off[1])) {
				c->id = __sync_fetch_and_add(&next_conn, 1) + 1;
				__builtin_memset(c->off, 0, sizeof(c->off));
				__builtin_memset(c->lost, 0, sizeof(c->lost));
				c->announced = 0;
			}
		}
		return;
	}
	/* Who asked for its socket could not be told from others before. */
	if (c->cookie || f->cookie || !f->local || (!(link && c->asked) && (c->announced || c->off[0] || c->off[1])))
		return;
	if (f->received || (f->sent && write)) {
		count_local(1, 0, 0);
		c->local = 1;
		c->cookie = f->local;
		c->dirty = 1;
	}
}

/* First link wins: SSL_set_fd on a live session is rare, and then the bytes
 * already recorded belong to the old socket. */
static __always_inline void take_link(struct conn *c, struct frame *f)
{
	choose_local(c, f);
	if (f->cookie || c->local)
		settled(c, bpf_get_current_pid_tgid() >> 32);
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

/* TLS inside TLS: the inner call's socket carries the outer session too. */
static __always_inline void hand_on(struct frame *f, struct frame *outer)
{
	if (!outer->cookie && f->cookie) {
		outer->cookie = f->cookie;
		outer->tuple = f->tuple;
	}
}

static __always_inline void take_role(struct conn *c, __u8 role)
{
	if (c->role == role)
		return;
	c->role = role;
	c->dirty = 1;
}

/* A function that tells which protocol was agreed on has returned ret. */
static __always_inline void selected(struct conn_key *k, struct frame *f, __u64 ret)
{
	struct conn *c = bpf_map_lookup_elem(&conns, k);
	struct {
		__u64 data;
		__u32 len;
		__u32 pad;
	} d = {};
	__u16 len16 = 0;
	long bad = 0;
	if (!c || c->alpn_len)
		return;
	switch (HOW(f->what)) {
	case H_PTR_U32:
		bad = bpf_probe_read_user(&d.data, sizeof(d.data), (void *)f->buf) ||
		      bpf_probe_read_user(&d.len, sizeof(d.len), (void *)f->num);
		break;
	case H_PTR_U16:
		bad = bpf_probe_read_user(&d.data, sizeof(d.data), (void *)f->buf) ||
		      bpf_probe_read_user(&len16, sizeof(len16), (void *)f->num);
		d.len = len16;
		break;
	case H_DATUM:
		bad = (int)ret || bpf_probe_read_user(&d, sizeof(d), (void *)f->buf);
		break;
	case H_COPIED:
		d.data = f->num;
		bad = (int)ret || bpf_probe_read_user(&d.len, sizeof(d.len), (void *)f->out);
		break;
	case H_STRING: {
		long n = ret ? bpf_probe_read_user_str(c->alpn, ALPN_LEN, (void *)ret) : 0;
		if (n > 1) {
			c->alpn_len = n - 1;
			c->dirty = 1;
		}
		return;
	}
	}
	if (bad || !d.data || !d.len || d.len > ALPN_LEN)
		return;
	__u32 m = d.len - 1;
	asm volatile("" : "+r"(m));
	m &= ALPN_LEN - 1;
	if (bpf_probe_read_user(c->alpn, m + 1, (void *)d.data))
		return;
	c->alpn_len = d.len;
	c->dirty = 1;
}

/* A session came to be at k: whatever was at that address is gone. */
static __always_inline struct conn *born(struct conn_key *k, __u64 cookie, __u64 now)
{
	struct conn *old = bpf_map_lookup_elem(&conns, k);
	if (old) {
		emit_end(k, old, old->ended ? old->ended : END_REUSE, now);
		buried(k, old, now);
	}
	return conn_new(k, cookie, false);
}

/* A function has returned a new session through its first argument. */
static __always_inline void handed_out(struct task_state *t, struct frame *f, long rc, __u64 now)
{
	__u64 ssl = 0;
	struct conn_key k;
	if (rc || bpf_probe_read_user(&ssl, sizeof(ssl), (void *)f->ssl) || !ssl)
		return;
	key_of(&k, ssl);
	t->young = ssl;
	struct conn *c = born(&k, f->what, now);
	if (c && f->buf & 3)
		c->role = f->buf & 1 ? ROLE_SERVER : ROLE_CLIENT;
}

#endif
