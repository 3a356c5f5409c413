// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * maps.h - state the programs share, and what user space sets before load.
 *
 * Every key that names something of a process carries its tgid: after fork two
 * processes hold different sessions at one address.
 */
#ifndef SPLIFF_MAPS_H
#define SPLIFF_MAPS_H

/* Set by record before load. */
const volatile __u32 self_tgid = 0;     /* never recorded: our own process */
const volatile __u32 need = 0;          /* TARGET_ bits a process must have; 0: any process will do */
const volatile __u32 n_comms = 0;       /* names in comms[] */
const volatile __u8 comms[COMMS_MAX][COMM_LEN] = {}; /* lower case */
const volatile __u32 n_uids = 0;        /* users in uids[] */
const volatile __u32 uids[UIDS_MAX] = {};
const volatile __u32 n_cgroups = 0;     /* entries of cgroups */
const volatile __u32 keep_local = 0;    /* 1: record sessions over local sockets too */
const volatile __u32 watch_all = 0;     /* 1: tell the life of every process, not of recorded ones alone */
const volatile __u64 wake_bytes = 16 << 20; /* wake the reader when this much waits */
const volatile __u32 snaplen = 0;       /* most bytes copied of one call; 0: all */

/* Set by record while running: everything stops at one moment, before probes come
 * off one after the other. Else a session could be seen to end whose last bytes
 * were not. */
volatile __u32 stopped = 0;

/* Set by record while there are processes in linking. */
volatile __u32 matching = 0;

__u64 next_conn = 0;
__u64 last_wake = 0;
__u64 last_load = 0;

/* One call on a TLS session that has been entered and not left. */
struct frame {
	__u64 ssl, buf, num, out; /* arguments; out: where the length goes */
	__u64 start;              /* entry, ktime */
	__u64 sp;                 /* stack pointer at entry: tells a nested call from a stale frame */
	__u64 cookie;             /* socket used inside this call, 0 if none yet */
	struct tuple tuple;
	__u64 what;               /* attach cookie of the entry probe */
	__u64 local;              /* cookie of a socket that is no network's */
	__u8 sent, received;      /* 1: through that one */
	__u8 pad[6];
};

/* TLS inside TLS (an HTTPS proxy) nests two; four leaves room. */
#define FRAMES 4

struct task_state {
	__u64 young;    /* the session this thread made last, until its handshake is over */
	__u32 depth;
	__u32 verdict;  /* 1 no, 2 yes: what the name filter said of */
	__u64 names[4]; /* these names: the thread's and its process's */
	__u64 shakes;   /* 1: a session of this thread is in shaking */
	struct frame frames[FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

/* Allocated at once: elements made singly would take 512 bytes each for their 264. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct conn_key);
	__type(value, struct conn);
} conns SEC(".maps");

/* What was known of sessions that were freed. */
struct estate {
	__u64 cookie;
	__u64 born;
	__u64 freed;
	struct tuple tuple;
	__u8 role, local;
	__u8 pad[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, struct conn_key);
	__type(value, struct estate);
} estates SEC(".maps");

/* Processes asked for: tgid -> TARGET_ bits. */
#define TARGET_PID 1  /* by number */
#define TARGET_TREE 2 /* as a member of a process tree: its children will be too */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

/* cgroups asked for, each with all below it. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, CGROUPS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} cgroups SEC(".maps");

/* Which program of which process. */
struct program {
	__u64 start;
	__u64 exec;
};

/* Processes announced by EV_PROC since they run their program. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct program);
} procs SEC(".maps");

/* Processes whose sessions are linked to sockets by what is sent: tgid -> LINK_ bits. */
#define LINK_CALLS 1 /* its writes can be watched for their sockets, when it asks */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u32);
} linking SEC(".maps");

/* Processes that asked for that: how many of their sessions have no socket yet. Entries
 * go with their process: who removed one could remove what a session just asked. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2048);
	__type(key, __u32);
	__type(value, __s32);
} asking SEC(".maps");

/* How what a session wrote into memory begins: more random bytes than could be
 * mistaken for others. */
struct head {
	__u64 word[3];
};
struct head_of {
	struct conn_key key;
	__u64 id;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct head);
	__type(value, struct head_of);
} heads SEC(".maps");

/* Sockets, by cookie, from which programs read for sessions whose handshake is not
 * over: those that were linked so before, and those whose hello got no answer yet. Those of
 * no session yet have id 0: with a part of a client's hello, how much of it is told as ssl
 * and how much there is as exec, else how often one was looked for as ssl. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct head_of);
} shaking SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} totals SEC(".maps");

#endif
