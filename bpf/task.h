// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * task.h - which processes are recorded, and how their lives begin and end.
 */
#ifndef SPLIFF_TASK_H
#define SPLIFF_TASK_H

static __always_inline __u8 lower(__u8 c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* True when name holds comms[i], without regard to case. */
static __noinline bool holds(const __u8 *name, __u32 i)
{
	for (int at = 0; at < COMM_LEN; at++) {
		bool same = true;
		for (int j = 0; j < COMM_LEN; j++) {
			__u8 want = comms[i & (COMMS_MAX - 1)][j];
			if (!want)
				break;
			if (at + j >= COMM_LEN || lower(name[(at + j) & (COMM_LEN - 1)]) != want) {
				same = false;
				break;
			}
		}
		if (same)
			return true;
	}
	return false;
}

/* The name filter's verdict on the current thread. Searching costs a microsecond,
 * so it is done again only when a name has changed (prctl, exec). */
static __always_inline bool named(struct task_state *t)
{
	__u64 names[4] = {};
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	bpf_get_current_comm(&names[0], COMM_LEN);
	bpf_probe_read_kernel(&names[2], COMM_LEN, &leader->comm);
	bool same = t->verdict;
	for (int i = 0; i < 4; i++) {
		same = same && t->names[i] == names[i];
		t->names[i] = names[i];
	}
	if (same)
		return t->verdict == 2;
	t->verdict = 1;
	for (__u32 i = 0; i < n_comms && i < COMMS_MAX; i++)
		if (holds((__u8 *)&names[0], i) || holds((__u8 *)&names[2], i))
			t->verdict = 2;
	return t->verdict == 2;
}

/* Real user id, in the initial user namespace. */
static __always_inline bool users_process(void)
{
	__u32 uid = bpf_get_current_uid_gid();
	for (__u32 i = 0; i < n_uids && i < UIDS_MAX; i++)
		if (uids[i & (UIDS_MAX - 1)] == uid)
			return true;
	return false;
}

static __always_inline bool in_cgroups(void)
{
	for (__u32 i = 0; i < n_cgroups && i < CGROUPS_MAX; i++)
		if (bpf_current_task_under_cgroup(&cgroups, i) == 1)
			return true;
	return false;
}

/* Says whether the current process passes every kind of filter that was given, where
 * bits are those of its entry in targets. t is for the filter of names alone. */
static __always_inline bool passes(struct task_state *t, __u32 bits)
{
	return (bits & need) == need && (!n_uids || users_process()) && (!n_cgroups || in_cgroups()) &&
	       (!n_comms || (t && named(t)));
}

static __always_inline __u32 bits_of(__u32 tgid)
{
	if (!need)
		return 0;
	__u32 *has = bpf_map_lookup_elem(&targets, &tgid);
	return has ? *has : 0;
}

/* How many TLS calls that are recorded processes are in, by the low bits of their
 * number, so that the socket calls of all others on the host, and all others of them,
 * are passed over at once. 1 in lasting: some of theirs are not counted. */
#define CALLERS 8192
#define CALLER(tgid) ((tgid) & (CALLERS - 1))
volatile __u32 calls[CALLERS] = {};
volatile __u8 lasting[CALLERS] = {};

static __always_inline void calls_last(void)
{
	__u32 at = CALLER(bpf_get_current_pid_tgid() >> 32);
	if (!lasting[at]) /* not written again: every CPU reads the line */
		lasting[at] = 1;
}

/* The calls of a thread nest n deep now. */
static __always_inline void nests(struct task_state *t, __u32 tgid, __u32 n)
{
	__u32 by = n - t->depth;
	t->depth = n;
	if (by)
		__sync_fetch_and_add(&calls[CALLER(tgid)], by);
}

/* Says whether the current process is to be recorded. Looked at before anything
 * is copied. */
static __always_inline bool traced(struct task_state *t)
{
	if (stopped)
		return false;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	return tgid != self_tgid && passes(t, bits_of(tgid));
}

static __always_inline struct task_state *my_state(void)
{
	return bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* Says whether the current process is to be recorded, to who needs no state and runs
 * in recorded processes alone where they were chosen by number and nothing else. */
static __always_inline bool chosen(void)
{
	if (need == TARGET_PID && !n_comms && !n_uids && !n_cgroups)
		return !stopped;
	return traced(n_comms ? my_state() : 0);
}

/* The state of the current task, if it is recorded. */
static __always_inline struct task_state *wanted(void)
{
	struct task_state *t = my_state();
	return t && traced(t) ? t : 0;
}

/* The first TLS call of who loads a library is milliseconds away, so the reader is
 * woken; in a storm of programs once a millisecond, and it comes back by itself. */
static __always_inline void hurry(__u64 now)
{
	if (now - last_load < 1000000)
		return;
	last_load = now;
	wake();
}

/* include/trace/events/sched.h */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 from = parent->tgid, to = child->tgid;
	if (from == to || stopped)
		return 0; /* a thread */
	__u32 bits = bits_of(from) & TARGET_TREE;
	if (bits)
		bpf_map_update_elem(&targets, &to, &bits, BPF_ANY);
	/* Before its first exec a child has its parent's names, user and cgroup. */
	bool selected = passes(n_comms ? my_state() : 0, bits);
	if (!selected && !watch_all)
		return 0;
	__u64 at;
	struct ev_fork *e = take(sizeof(*e), &at);
	if (!e) {
		count_loss(LOSS_CONTROL, 1, 0);
		return 0;
	}
	fill_hdr(&e->hdr, EV_FORK, 0, bpf_ktime_get_ns());
	e->hdr.tgid = e->hdr.tid = to;
	fill_process(e, child);
	e->uid = bpf_get_current_uid_gid();
	e->selected = selected;
	give(e, sizeof(*e), at);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(execed, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u32 tgid = task->tgid;
	struct task_state *t = n_comms ? my_state() :
					 bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, 0);
	if (stopped)
		return 0;
	if (t)
		nests(t, tgid, 0); /* the calls that were in progress are gone with the old program */
	bpf_map_delete_elem(&linking, &tgid); /* its code is another */
	bpf_map_delete_elem(&asking, &tgid);
	bool known = !bpf_map_delete_elem(&procs, &tgid), selected = traced(t);
	if (!known && !selected && !watch_all)
		return 0;
	/* Of one that is recorded the reader is woken: the new program may come with a
	 * dynamic linker that nobody watches yet. */
	__u64 now = bpf_ktime_get_ns();
	if (!emit_program(bprm->interp, selected, now))
		count_loss(LOSS_CONTROL, 1, 0);
	else if (selected)
		hurry(now);
	return 0;
}

/* Fires for each thread; the process ends with its last one. Of two that end at once
 * both may look like it: a reader takes the second word for nothing. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	struct signal_struct *sig = task->signal;
	struct task_state *t = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, 0);
	if (t)
		nests(t, tgid, 0);
	if (stopped || sig->live.counter > 0)
		return 0;
	bpf_map_delete_elem(&linking, &tgid);
	bpf_map_delete_elem(&asking, &tgid);
	bool known = !bpf_map_delete_elem(&procs, &tgid);
	bool asked = need && !bpf_map_delete_elem(&targets, &tgid);
	if (!known && !asked && !watch_all)
		return 0;
	__u64 at;
	struct ev_exit *e = take(sizeof(*e), &at);
	if (!e) {
		count_loss(LOSS_CONTROL, 1, 0);
		return 0;
	}
	fill_hdr(&e->hdr, EV_EXIT, 0, bpf_ktime_get_ns());
	e->start = BPF_CORE_READ(task, group_leader, start_boottime);
	e->status = sig->flags & SIGNAL_GROUP_EXIT ? sig->group_exit_code : BPF_CORE_READ(task, group_leader, exit_code);
	e->pad = 0;
	give(e, sizeof(*e), at);
	return 0;
}

/* Lists the processes there are, as struct ev_fork, to who reads the iterator. */
SEC("iter/task")
int list_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	if (!task || task->pid != task->tgid)
		return 0;
	struct ev_fork e = {};
	e.hdr.kind = EV_FORK;
	e.hdr.tgid = e.hdr.tid = task->tgid;
	fill_process(&e, task);
	e.uid = BPF_CORE_READ(task, cred, uid.val);
	bpf_seq_write(ctx->meta->seq, &e, sizeof(e));
	return 0;
}

/* glibc's _dl_debug_state: the dynamic linker has mapped or is about to map files. */
SEC("uprobe.multi")
int files_mapped(struct pt_regs *ctx)
{
	OWN_STACK(ctx);
	struct task_state *t = my_state();
	if (t && traced(t)) {
		__u64 now = bpf_ktime_get_ns();
		emit_bare(EV_LOAD, now);
		hurry(now);
	}
	return 0;
}

#endif
