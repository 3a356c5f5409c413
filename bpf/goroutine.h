// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * goroutine.h - calls in progress of Go programs.
 *
 * A goroutine changes threads in the middle of a call, and its stack moves when it
 * grows. So its calls are kept by goroutine, not by thread, and a place on its
 * stack is told by the distance from the stack's upper end, which moving keeps.
 */
#ifndef SPLIFF_GOROUTINE_H
#define SPLIFF_GOROUTINE_H

/* Go's internal calling convention (cmd/compile/abi-internal.md): the goroutine,
 * arguments and results have registers of their own. */
#if defined(__TARGET_ARCH_x86)
#define GO_G(ctx) ((ctx)->r14)
#define GO_REG1(ctx) ((ctx)->ax)
#define GO_REG2(ctx) ((ctx)->bx)
#define GO_REG3(ctx) ((ctx)->cx)
#define GO_G_OF(regs) BPF_CORE_READ(regs, r14)
#else
#define GO_REGS(ctx) ((const struct user_pt_regs *)(ctx))
#define GO_G(ctx) (GO_REGS(ctx)->regs[28])
#define GO_REG1(ctx) (GO_REGS(ctx)->regs[0])
#define GO_REG2(ctx) (GO_REGS(ctx)->regs[1])
#define GO_REG3(ctx) (GO_REGS(ctx)->regs[2])
#define GO_G_OF(regs) BPF_CORE_READ((const struct user_pt_regs *)(regs), regs[28])
#endif

/* With the program, as conn_key: the next one of the process may well have a
 * goroutine at the same address. */
struct go_key {
	__u64 g;
	__u64 start;
	__u64 exec;
	__u32 tgid;
	__u32 pad;
};

struct go_calls {
	__u32 depth;
	__u32 pad;
	struct frame frames[FRAMES]; /* sp: bytes below the stack's upper end */
};

/* The goroutines that are in a call, and those that will make another: to make an entry
 * for each call took a sixth of what a request costs. The runtime takes the descriptor
 * of a goroutine that has ended for the next, so that there are about as many entries as
 * goroutines were in a call at a time. User space clears what a process leaves behind
 * when it ends; of one that lives, only the goroutine itself may delete its entry, whose
 * memory the kernel uses again at once. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct go_key);
	__type(value, struct go_calls);
} goroutines SEC(".maps");

/* A new entry's value: too large for a program's stack. */
const volatile struct go_calls no_calls = {};

/* Set by record once a Go program carries probes: until then no socket call looks
 * for its goroutine. */
volatile __u32 go_probed = 0;

static __always_inline void go_key_of(struct go_key *k, __u64 g)
{
	struct program is;
	k->tgid = this_program(&is);
	k->g = g;
	k->start = is.start;
	k->exec = is.exec;
	k->pad = 0;
}

/* The calls of goroutine g, 0 if it is in none. The key is made again where it is used:
 * a program's stack is too short to keep it. */
static __always_inline struct go_calls *go_calls_of(__u64 g)
{
	struct go_key k;
	go_key_of(&k, g);
	return bpf_map_lookup_elem(&goroutines, &k);
}

/* Set when an entry found no room: then they go with their calls again. */
volatile __u32 go_crowded = 0;

static __always_inline struct go_calls *go_first_call(__u64 g)
{
	struct go_key k;
	go_key_of(&k, g);
	if (bpf_map_update_elem(&goroutines, &k, (void *)&no_calls, BPF_NOEXIST))
		go_crowded = 1;
	return bpf_map_lookup_elem(&goroutines, &k);
}

/* Goroutine g has left its last call; closed: which was a Close, after which most end. */
static __always_inline void go_last_call(__u64 g, bool closed)
{
	if (!closed && !go_crowded)
		return;
	struct go_key k;
	go_key_of(&k, g);
	bpf_map_delete_elem(&goroutines, &k);
}

/* The innermost call of the goroutine that made the current system call. */
static __always_inline struct frame *go_top(struct task_struct *task)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	struct go_calls *s = go_calls_of(GO_G_OF(regs));
	if (!s || !s->depth || s->depth > FRAMES)
		return 0;
	return &s->frames[(s->depth - 1) & (FRAMES - 1)];
}

#endif
