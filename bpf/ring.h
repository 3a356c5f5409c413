// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * ring.h - the samples' way to user space: memory that both sides have mapped.
 *
 * As the kernel's ring buffer, but with no lock and no function of the kernel's on the
 * way: two atomic additions take a place, one store hands it over. A call of a helper
 * costs more than what most of them do where the processor needs guarded returns.
 *
 * A place is taken in two steps. First so many bytes are counted as used: if that is
 * more than there are, they are given back, and the sample is lost. Then the position
 * moves on: two that take at once may get theirs in either order. Positions grow for
 * ever; what lies at one is found by its low bits, and may reach past the ring's end
 * into the slack behind it, so that a sample is never in two parts.
 *
 * A slot is ready when its first word is its position plus a secret number. What lay
 * there before is another position's or a program's plaintext, which cannot know it.
 */
#ifndef SPLIFF_RING_H
#define SPLIFF_RING_H

/* Set by record before load. */
const volatile __u64 ring_bytes = 1 << 16; /* a power of two; the verifier follows offsets below 512 MiB */
const volatile __u64 ring_secret = 0;

/* Before what a sample is. */
struct slot {
	__u64 ready; /* ring_secret + its position */
	__u32 size;  /* of the sample after it; it ends at a multiple of 8 */
	__u32 filled; /* 0: there is none */
};

/* The largest sample fits into it. */
enum ring_sizes { RING_SLACK = 20480 };
_Static_assert(sizeof(struct slot) + sizeof(struct ev_data) + PIECE <= RING_SLACK, "a sample fits into the slack");

/* What lies before the ring's bytes: a page, so that writing to it disturbs no sample. */
struct shared {
	__u64 used; /* bytes taken and not yet read; user space subtracts */
	__u64 next; /* position of the next sample */
	__u8 pad[4080];
};

/* One struct shared with ring_bytes and RING_SLACK of data. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct shared) + (1 << 16) + RING_SLACK);
} ring SEC(".maps");

/* Wakes the reader; what is in it says nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} bell SEC(".maps");

static __always_inline struct shared *the_ring(void)
{
	__u32 zero = 0;
	return bpf_map_lookup_elem(&ring, &zero);
}

static __always_inline void wake(void)
{
	__u64 nothing = 0;
	bpf_ringbuf_output(&bell, &nothing, sizeof(nothing), BPF_RB_FORCE_WAKEUP);
}

/* A wake-up costs ten times a sample, and in a virtual machine more, so the reader is
 * woken only when the ring is filling up: once a millisecond while half of it is free,
 * then ten times as often, or more in a ring that fills in less time at 4 GB/s; else
 * its own timer drains it. */
__noinline int wake_slowly(__u64 used)
{
	__u64 pause = 1000000, now = bpf_ktime_get_ns();
	if (used >= 2 * wake_bytes)
		pause = wake_bytes / 2 < 100000 ? wake_bytes / 2 : 100000;
	if (now - last_wake < pause)
		return 0;
	last_wake = now;
	wake();
	return 0;
}

static __always_inline void wake_for_room(struct shared *r)
{
	__u64 used = *(volatile __u64 *)&r->used;
	if (used >= wake_bytes)
		wake_slowly(used); /* not static: verified once, not wherever it is called */
}

/* Takes a place for a sample of size bytes, at most RING_SLACK; at: its position.
 * 0: there is no room. */
static __always_inline void *take(__u32 size, __u64 *at)
{
	struct shared *r = the_ring();
	if (!r)
		return 0;
	__u64 n = (sizeof(struct slot) + size + 7) & ~7ull;
	/* Looked at first: what is added in vain is missing to others meanwhile. */
	if (*(volatile __u64 *)&r->used + n > ring_bytes) {
		wake_for_room(r);
		return 0;
	}
	if (__sync_fetch_and_add(&r->used, n) + n > ring_bytes) {
		__sync_fetch_and_sub(&r->used, n);
		return 0;
	}
	*at = __sync_fetch_and_add(&r->next, n);
	__u64 off = *at;
	asm volatile("" : "+r"(off)); /* keeps clang from moving the mask behind the addition */
	off &= ring_bytes - 1;
	return (void *)(r + 1) + off + sizeof(struct slot);
}

static __always_inline void hand_over(void *p, __u32 size, __u64 at, bool filled)
{
	struct slot *s = (struct slot *)p - 1;
	s->size = size;
	s->filled = filled;
#if defined(__TARGET_ARCH_x86)
	/* Stores are seen in their order, also behind a copy by a string instruction
	 * (Intel SDM volume 3, sections 9.2.2 and 9.2.4). */
	asm volatile("" ::: "memory");
	*(volatile __u64 *)&s->ready = ring_secret + at;
#else
	__sync_lock_test_and_set(&s->ready, ring_secret + at);
#endif
}

/* Hands over the sample of size bytes at p, which was taken at position at. */
static __always_inline void give(void *p, __u32 size, __u64 at)
{
	hand_over(p, size, at, true);
}

/* Gives its place back: nothing came of it. */
static __always_inline void give_back(void *p, __u32 size, __u64 at)
{
	hand_over(p, size, at, false);
}

#endif
