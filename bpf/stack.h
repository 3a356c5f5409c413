// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * stack.h - keeps each thread's probes on its own stack.
 *
 * Since Linux 6.13 (on arm64 6.17) a program of this type that needs 64 bytes
 * of stack or more has one of its own for each CPU (kernel/bpf/verifier.c, bpf_enable_priv_stack).
 * That suits programs that are not preempted. One on a uprobe can be
 * (kernel/trace/bpf_trace.c, uprobe_prog_run: it stays on its CPU, no more), and where
 * the kernel preempts, another thread's probe would run on the same memory: the one
 * process's bytes could leave under the other's name.
 *
 * A program with a tail call gets no such stack. This one is never made: the verifier
 * sees that, and takes it out once it has counted it.
 */
#ifndef SPLIFF_STACK_H
#define SPLIFF_STACK_H

const volatile __u32 never = 0;

struct nowhere {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};

/* Programs that share one must be attached in the same way. */
struct nowhere nowhere SEC(".maps");
struct nowhere nowhere_in_session SEC(".maps");

#define NO_TAIL_CALL(ctx, map)                                                           \
	do {                                                                             \
		if (never)                                                               \
			bpf_tail_call(ctx, map, 0);                                      \
	} while (0)
#define OWN_STACK(ctx) NO_TAIL_CALL(ctx, &nowhere)
#define OWN_STACK_IN_SESSION(ctx) NO_TAIL_CALL(ctx, &nowhere_in_session)

#endif
