// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * sock.h - which socket a TLS session talks through.
 *
 * The kernel announces every send and receive in the context of the task that
 * makes it. One made inside a TLS call belongs to that call's session: no
 * struct of the TLS library needs to be read.
 */
#ifndef SPLIFF_SOCK_H
#define SPLIFF_SOCK_H

/* Fills u for a socket of the network, false for others. */
static __always_inline bool network_tuple(struct sock *sk, struct tuple *u)
{
	__u16 family = sk->__sk_common.skc_family;
	if (family != AF_INET && family != AF_INET6)
		return false;
	__builtin_memset(u, 0, sizeof(*u));
	u->family = family;
	u->lport = sk->__sk_common.skc_num;
	u->rport = sk->__sk_common.skc_dport;
	if (family == AF_INET) {
		*(__u32 *)u->laddr = sk->__sk_common.skc_rcv_saddr;
		*(__u32 *)u->raddr = sk->__sk_common.skc_daddr;
	} else {
		BPF_CORE_READ_INTO(&u->laddr, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&u->raddr, sk, __sk_common.skc_v6_daddr);
	}
	return true;
}

#include "wire.h"

/* The innermost TLS call that the current task is in. */
static __always_inline struct frame *current_call(struct task_struct *task, struct task_state *t)
{
	if (t && t->depth && t->depth <= FRAMES) {
		struct frame *f = &t->frames[(t->depth - 1) & (FRAMES - 1)];
		return stale_link(f) ? 0 : f;
	}
	return go_probed ? go_top(task) : 0;
}

/* moved: bytes that went in direction dir, negative for an error. */
static __always_inline int used(struct sock *sk, int moved, __u32 dir)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *t = 0;
	struct frame *f = 0;
	if (calls[CALLER(task->tgid)] || lasting[CALLER(task->tgid)]) {
		t = bpf_task_storage_get(&tasks, task, 0, 0);
		f = current_call(task, t);
	}
	if (!f) {
		if (moved <= 0)
			return 0;
		if (matching && dir == DIR_WRITE)
			match_sent(sk);
		if ((matching || (t && t->shakes)) && dir == DIR_READ)
			hello_received(sk, moved, t && t->shakes);
		return 0;
	}
	if (moved > 0 && (WHAT(f->what) == W_HANDSHAKE || (t && f->ssl == t->young)))
		hello_moved(f->ssl, moved, dir);
	if (f->cookie)
		return 0;
	if (network_tuple(sk, &f->tuple)) {
		f->cookie = bpf_get_socket_cookie(sk);
		return 0;
	}
	switch (sk->__sk_common.skc_family) {
	case AF_ALG: /* the kernel's ciphers, and what asks the kernel: no peer */
	case AF_NETLINK:
	case AF_KEY:
	case AF_PACKET:
		return 0;
	}
	/* A call can use such a socket for something else: a callback writes to syslog or asks
	 * nscd for a name, a key is in a daemon's keeping. */
	if (moved < 2 || !record_moved())
		return 0;
	f->local = bpf_get_socket_cookie(sk);
	if (dir == DIR_WRITE)
		f->sent = 1;
	else
		f->received = 1;
	return 0;
}

/* include/trace/events/sock.h, since 6.3 */
SEC("tp_btf/sock_send_length")
int BPF_PROG(sock_sent, struct sock *sk, int ret)
{
	return used(sk, ret, DIR_WRITE);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sock_received, struct sock *sk, int ret)
{
	return used(sk, ret, DIR_READ);
}

#endif
