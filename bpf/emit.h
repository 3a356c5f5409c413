// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * emit.h - everything that puts a sample into the ring.
 *
 * A sample that finds no room is counted, and what it would have said is said
 * again by a later one: a connection stays dirty, a stream offset moves on. So a
 * reader always knows how many bytes are missing and where.
 */
#ifndef SPLIFF_EMIT_H
#define SPLIFF_EMIT_H

static __always_inline struct counts *my_counts(void)
{
	__u32 zero = 0;
	return bpf_map_lookup_elem(&totals, &zero);
}

static __always_inline void count_loss(enum loss why, __u64 events, __u64 bytes)
{
	struct counts *n = my_counts();
	if (!n)
		return;
	/* Preemptible context: another task on this CPU may be in the same line. */
	__sync_fetch_and_add(&n->lost_events[why], events);
	__sync_fetch_and_add(&n->lost_bytes[why], bytes);
}

static __always_inline void count_local(__s64 conns, __u64 events, __u64 bytes)
{
	struct counts *n = my_counts();
	if (!n)
		return;
	__sync_fetch_and_add(&n->local_conns, conns); /* one CPU's may go below 0, their sum not */
	__sync_fetch_and_add(&n->local_events, events);
	__sync_fetch_and_add(&n->local_bytes, bytes);
}

static __always_inline void fill_hdr(struct ev_hdr *h, enum ev_kind kind, __u64 conn, __u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	h->kind = kind;
	h->dir = 0;
	h->cpu = bpf_get_smp_processor_id();
	h->len = 0;
	h->tgid = task->tgid;
	h->tid = task->pid;
	h->conn = conn;
	h->time = now;
}

static __always_inline void emit_bare(enum ev_kind kind, __u64 now)
{
	__u64 at;
	struct ev_hdr *h = take(sizeof(*h), &at);
	if (!h) {
		count_loss(LOSS_CONTROL, 1, 0);
		return;
	}
	fill_hdr(h, kind, 0, now);
	give(h, sizeof(*h), at);
}

/* Which program of which process this is; returns the process's number. */
static __always_inline __u32 this_program(struct program *p)
{
	struct task_struct *task = bpf_get_current_task_btf();
	p->start = task->group_leader->start_boottime;
	p->exec = task->self_exec_id;
	return task->tgid;
}

/* Fills in all of f but hdr, uid and selected, for a process by any of its threads. */
static __always_inline void fill_process(struct ev_fork *f, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(leader, real_parent);
	f->start = BPF_CORE_READ(leader, start_boottime);
	f->pstart = BPF_CORE_READ(parent, group_leader, start_boottime);
	f->cgroup = BPF_CORE_READ(leader, cgroups, dfl_cgrp, kn, id);
	f->exec = BPF_CORE_READ(task, self_exec_id);
	f->ppid = BPF_CORE_READ(parent, tgid);
	bpf_probe_read_kernel(f->comm, COMM_LEN, &leader->comm);
	__builtin_memset(f->pad, 0, sizeof(f->pad));
}

/* Tells what program the current process runs. exe: after exec, the kernel's name
 * of it; else 0. False: no room. */
static __always_inline bool emit_program(const char *exe, bool selected, __u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 at;
	struct ev_proc *p = take(sizeof(*p), &at);
	if (!p)
		return false;
	fill_hdr(&p->id.hdr, EV_PROC, 0, now);
	fill_process(&p->id, task);
	p->id.uid = bpf_get_current_uid_gid();
	p->id.selected = selected;
	p->exec = exe != 0;
	__builtin_memset(p->pad, 0, sizeof(p->pad));
	p->pad2 = 0;
	p->exe[0] = 0;
	if (exe)
		bpf_probe_read_kernel_str(p->exe, EXE_LEN, exe);
	p->args_len = p->args_all = 0;
	__u64 arg = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);
	__u64 n = end - arg;
	if (end > arg) {
		p->args_all = n > 0xffffffff ? 0xffffffff : n;
		if (n > ARGS_LEN)
			n = ARGS_LEN;
		asm volatile("" : "+r"(n)); /* keeps clang from dropping the mask the verifier wants */
		n = (n - 1) & (ARGS_LEN - 1);
		if (!bpf_probe_read_user(p->args, n + 1, (void *)arg))
			p->args_len = n + 1;
	}
	give(p, sizeof(*p), at);
	return true;
}

/* Says who the process is before its first call is told. 0: no room; it will be tried
 * again, so it is not a loss. Not static, as others that are seldom called from many
 * places: such a function is verified once. */
__noinline int emit_proc(__u64 now)
{
	struct program is;
	__u32 tgid = this_program(&is);
	struct program *known = bpf_map_lookup_elem(&procs, &tgid);
	if (known && known->start == is.start && known->exec == is.exec)
		return true;
	if (!emit_program(0, true, now))
		return false;
	bpf_map_update_elem(&procs, &tgid, &is, BPF_ANY);
	return true;
}

__noinline int tell_conn(struct conn_key *k, struct conn *c, __u64 now)
{
	if (!k || !c)
		return 0;
	c->dirty = 0; /* first: what another thread changes from here on is said again */
	__u64 at;
	struct ev_conn *e = take(sizeof(*e), &at);
	if (!e) {
		c->dirty = 1;
		return 0;
	}
	fill_hdr(&e->hdr, EV_CONN, c->id, now);
	e->key = *k;
	e->cookie = c->cookie;
	e->tuple = c->tuple;
	e->conflicts = c->conflicts;
	e->role = c->role;
	e->mid = c->mid;
	e->alpn_len = c->alpn_len;
	e->probe = c->probe;
	__builtin_memcpy(e->alpn, c->alpn, ALPN_LEN);
	give(e, sizeof(*e), at);
	c->announced = 1;
	return 0;
}

/* Says what is known of a connection, if that has changed. Without room the
 * connection stays dirty and its next call says it. */
static __always_inline void emit_conn(struct conn_key *k, struct conn *c, __u64 now)
{
	if (c->dirty && emit_proc(now))
		tell_conn(k, c, now);
}

/* Says whether a connection is one of those to be recorded: see choose_local. */
static __always_inline bool recorded(struct conn *c)
{
	return !c->local || keep_local;
}

/* Says that a session object is gone. 0: no room; the connection is marked as ended and
 * stays in the table, where user space finds it. */
__noinline int emit_end(struct conn_key *k, struct conn *c, __u8 reason, __u64 now)
{
	if (!k || !c)
		return 0;
	bool moved = c->off[0] || c->off[1];
	bool failed = c->hs_start && !c->hs_done && !moved;
	if (!recorded(c))
		return true;
	if (!c->announced) {
		/* A failed handshake is worth telling although no byte came. */
		if (!moved && !failed)
			return true;
	}
	emit_conn(k, c, now);
	__u64 at = 0;
	struct ev_end *e = c->announced ? take(sizeof(*e), &at) : 0;
	if (!e) {
		count_loss(LOSS_CONTROL, 1, 0);
		c->ended = reason;
		return false;
	}
	fill_hdr(&e->hdr, EV_END, c->id, now);
	e->off[0] = c->off[0];
	e->off[1] = c->off[1];
	__builtin_memcpy(e->lost, c->lost, sizeof(e->lost));
	e->reason = reason;
	e->shutdown = c->shutdown;
	e->handshake = failed;
	e->hs_dur = failed ? c->hs_last - c->hs_start : 0;
	e->cause[0] = c->cause[0];
	e->cause[1] = c->cause[1];
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	give(e, sizeof(*e), at);
	return true;
}

/* One call's plaintext on its way into the ring, piece by piece. */
struct copying {
	struct ev_data ev;
	__u64 buf;
	__u32 left;
	__u32 pad;
	struct conn *c;
};

/* why: one of the causes that are LOSS_LOCATED. */
static __always_inline void piece_lost(struct copying *y, enum loss why, __u32 n)
{
	count_loss(why, 1, n);
	y->ev.lost |= 1 << why;
	if (y->c)
		__sync_fetch_and_add(&y->c->lost[y->ev.hdr.dir & 1][why], n);
}

static __always_inline void count_sent(__u64 events, __u64 bytes)
{
	struct counts *t = my_counts();
	if (!t)
		return;
	__sync_fetch_and_add(&t->events, events);
	__sync_fetch_and_add(&t->bytes, bytes);
}

static __always_inline void send(struct copying *y, __u32 n)
{
	__u64 at;
	struct ev_data *ev = take(sizeof(*ev) + n, &at);
	if (!ev) {
		piece_lost(y, LOSS_RING, n);
		return;
	}
	/* Before the ring's memory is written to, which is in no cache: an atomic instruction
	 * behind that would wait until it is there. */
	count_sent(1, n);
	if (bpf_probe_read_user(ev + 1, n, (void *)y->buf)) {
		give_back(ev, sizeof(*ev) + n, at);
		count_sent(-1, -(__u64)n);
		piece_lost(y, LOSS_FAULT, n);
		return;
	}
	*ev = y->ev;
	y->ev.lost = 0;
	give(ev, sizeof(*ev) + n, at);
	struct shared *r = the_ring();
	if (r)
		wake_for_room(r);
}

static __always_inline long send_piece(struct copying *y)
{
	__u32 n = y->left;
	if (!n)
		return 1;
	if (n > PIECE)
		n = PIECE;
	y->ev.hdr.len = n;
	send(y, n);
	y->ev.off += n;
	y->buf += n;
	y->left -= n;
	return 0;
}

static long next_piece(__u32 i, void *ctx)
{
	return send_piece(ctx);
}

/* Sends what a call that began at start moved: n bytes at buf, in direction dir. */
static __always_inline void emit_data(struct conn *c, __u64 buf, __u32 n, __u32 dir, __u64 start, __u64 now)
{
	struct copying y = {};
	__u64 dur = now - start;
	fill_hdr(&y.ev.hdr, EV_DATA, c->id, now);
	dir &= 1;
	y.ev.hdr.dir = dir;
	y.ev.dur = dur > 0xffffffff ? 0xffffffff : dur;
	y.ev.off = c->off[dir];
	y.ev.lost = c->cause[dir];
	y.buf = buf;
	y.left = n;
	y.c = c;
	if (snaplen && n > snaplen)
		y.left = snaplen;
	send_piece(&y);
	if (y.left)
		bpf_loop(n / PIECE + 1, next_piece, &y, 0);
	__u64 end = c->off[dir] + n;
	if (y.ev.off < end) {
		piece_lost(&y, LOSS_SNAPLEN, end - y.ev.off);
	}
	c->off[dir] = end;
	c->cause[dir] = y.ev.lost;
}

#endif
