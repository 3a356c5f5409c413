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

/* The innermost TLS call that the current task is in. */
static __always_inline struct frame *current_call(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *t = bpf_task_storage_get(&tasks, task, 0, 0);
	if (t && t->depth && t->depth <= FRAMES)
		return &t->frames[(t->depth - 1) & (FRAMES - 1)];
	return go_probed ? go_top(task) : 0;
}

static __always_inline int used(struct sock *sk, bool sent)
{
	struct frame *f = current_call();
	if (!f || f->cookie)
		return 0;
	__u16 family = sk->__sk_common.skc_family;
	switch (family) {
	case AF_INET:
	case AF_INET6:
		break;
	case AF_ALG: /* the kernel's ciphers, and what asks the kernel: no peer */
	case AF_NETLINK:
	case AF_KEY:
	case AF_PACKET:
		return 0;
	default:
		f->local = bpf_get_socket_cookie(sk);
		if (sent)
			f->sent = 1;
		else
			f->received = 1;
		return 0;
	}
	struct tuple *u = &f->tuple;
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
	f->cookie = bpf_get_socket_cookie(sk);
	return 0;
}

/* include/trace/events/sock.h, since 6.3 */
SEC("tp_btf/sock_send_length")
int BPF_PROG(sock_sent, struct sock *sk)
{
	return used(sk, true);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sock_received, struct sock *sk)
{
	return used(sk, false);
}

#endif
