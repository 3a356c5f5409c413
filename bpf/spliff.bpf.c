// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * spliff.bpf.c - the one compiled unit of the kernel side.
 *
 * The programs copy and count; they parse no protocol and decide nothing that
 * user space could decide later.
 */
#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "event.h"
#include "stack.h"
#include "maps.h"
#include "ring.h"
#include "emit.h"
#include "task.h"
#include "goroutine.h"
#include "cookie.h"
#include "session.h"
#include "sock.h"
#include "calls.h"
#include "inner.h"
#include "touch.h"
#include "golang.h"

char LICENSE[] SEC("license") = "GPL v2";

/* Keeps the types that Go needs in the object's BTF. */
const struct ev_data *keep_ev_data __attribute__((unused));
const struct ev_conn *keep_ev_conn __attribute__((unused));
const struct ev_end *keep_ev_end __attribute__((unused));
const struct ev_handshake *keep_ev_handshake __attribute__((unused));
const struct ev_fork *keep_ev_fork __attribute__((unused));
const struct ev_hello *keep_ev_hello __attribute__((unused));
const struct ev_proc *keep_ev_proc __attribute__((unused));
const struct ev_exit *keep_ev_exit __attribute__((unused));
const struct shared *keep_shared __attribute__((unused));
const struct slot *keep_slot __attribute__((unused));
const enum ring_sizes *keep_ring_sizes __attribute__((unused));
const enum ev_kind *keep_ev_kind __attribute__((unused));
const enum ev_dir *keep_ev_dir __attribute__((unused));
const enum loss *keep_loss __attribute__((unused));
const enum what *keep_what __attribute__((unused));
const enum how *keep_how __attribute__((unused));
const struct go_key *keep_go_key __attribute__((unused));
const enum call_flags *keep_call_flags __attribute__((unused));
