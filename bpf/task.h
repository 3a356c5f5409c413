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

/* Says whether the current process is to be recorded. Looked at before anything
 * is copied. Every kind of filter that was given must name the process. */
static __always_inline bool traced(struct task_state *t)
{
	if (stopped)
		return false;
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	if (tgid == self_tgid)
		return false;
	if (need) {
		__u32 *has = bpf_map_lookup_elem(&targets, &tgid);
		if (!has || (*has & need) != need)
			return false;
	}
	return !n_comms || named(t);
}

/* The state of the current task, if it is recorded. */
static __always_inline struct task_state *wanted(void)
{
	struct task_state *t = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0,
						    BPF_LOCAL_STORAGE_GET_F_CREATE);
	return t && traced(t) ? t : 0;
}

/* include/trace/events/sched.h */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 from = parent->tgid, to = child->tgid;
	if (from == to)
		return 0; /* a thread */
	__u32 *how = bpf_map_lookup_elem(&targets, &from);
	if (how && (*how & TARGET_TREE)) {
		__u32 tree = TARGET_TREE;
		bpf_map_update_elem(&targets, &to, &tree, BPF_ANY);
	}
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(execed, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	struct task_state *t = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0,
						    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t || stopped)
		return 0;
	t->depth = 0; /* the calls that were in progress are gone with the old program */
	__u64 now = bpf_ktime_get_ns();
	/* The new program may come with a dynamic linker that nobody watches yet. */
	if (traced(t))
		emit_bare(EV_LOAD, now, BPF_RB_FORCE_WAKEUP);
	if (!bpf_map_lookup_elem(&procs, &tgid))
		return 0;
	bpf_map_delete_elem(&procs, &tgid); /* the next event introduces the new program */
	emit_bare(EV_EXEC, now, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Fires for each thread; the process ends with its last one. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	if (stopped || task->signal->live.counter > 0)
		return 0;
	if (need)
		bpf_map_delete_elem(&targets, &tgid);
	if (!bpf_map_lookup_elem(&procs, &tgid))
		return 0;
	bpf_map_delete_elem(&procs, &tgid);
	emit_bare(EV_EXIT, bpf_ktime_get_ns(), BPF_RB_NO_WAKEUP);
	return 0;
}

/* glibc's _dl_debug_state: the dynamic linker has mapped or is about to map files. */
SEC("uprobe.multi")
int files_mapped(struct pt_regs *ctx)
{
	struct task_state *t = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0,
						    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (t && traced(t))
		emit_bare(EV_LOAD, bpf_ktime_get_ns(), BPF_RB_FORCE_WAKEUP); /* its first TLS call is milliseconds away */
	return 0;
}

#endif
