// SPDX-License-Identifier: GPL-2.0-only
//go:build ignore
/*
 * event.h - the only contract between the kernel side and package record.
 *
 * Every sample in the ring begins with struct ev_hdr. Go's types are generated
 * from this file by bpf2go; layout_test.go pins each offset. No packed structs,
 * all padding is explicit, all integers are in the host's byte order, addresses
 * and ports in network order.
 */
#ifndef SPLIFF_EVENT_H
#define SPLIFF_EVENT_H

#define COMM_LEN 16
#define ALPN_LEN 32
#define ARGS_LEN 1024
#define EXE_LEN 256
#define COMMS_MAX 8
#define UIDS_MAX 16
#define CGROUPS_MAX 16
/* A DATA event carries at most one TLS record's worth of plaintext (RFC 8446 section 5.1). */
#define PIECE 16384

enum ev_kind {
	EV_DATA = 1,      /* struct ev_data, then hdr.len bytes of plaintext */
	EV_CONN = 2,      /* struct ev_conn: all that is known of a connection */
	EV_END = 3,       /* struct ev_end: the session object is gone */
	EV_HANDSHAKE = 4, /* struct ev_handshake */
	EV_PROC = 5,      /* struct ev_proc: before its first call is told, and after exec */
	EV_EXIT = 6,      /* struct ev_exit: the process is gone */
	EV_FORK = 7,      /* struct ev_fork, tgid that of the child */
	EV_LOAD = 8,      /* struct ev_hdr: the process's dynamic linker mapped something */
	EV_HELLO = 9,     /* struct ev_hello, then hdr.len bytes of a handshake as they went over the wire */
	EV_UNLINKED = 10, /* struct ev_hdr: the process has a session of which no socket is known */
	EV_EXTENSIONS = 11, /* struct ev_hello, then hdr.len bytes of an EncryptedExtensions message as its receiver decrypted it */
	EV_OPENING = 12, /* as EV_HELLO, of a client's hello that came to a socket of no session yet: hdr.conn is its cookie */
};

/* Directions: as format.Dir, minus one. */
enum ev_dir { DIR_WRITE = 0, DIR_READ = 1 };

/* Why bytes are missing. */
enum loss {
	LOSS_RING = 0,    /* no room in the ring */
	LOSS_FAULT = 1,   /* the process's memory could not be read */
	LOSS_SNAPLEN = 2, /* cut on purpose */
	LOSS_STATE = 3,   /* no room in a table */
	LOSS_CONTROL = 4, /* an event without payload did not get through and is not sent again */
	LOSS_NEST = 5,    /* calls nested deeper than the frame stack */
	LOSS_LENGTH = 6,  /* the length of a call could not be read: how much is missing is not known */
	LOSS_N = 7,
	LOSS_LOCATED = 3, /* those before it show as a jump of a stream offset */
};

struct ev_hdr {
	__u8 kind; /* enum ev_kind */
	__u8 dir;  /* enum ev_dir, DATA only */
	__u16 cpu;
	__u32 len; /* payload bytes after the struct */
	__u32 tgid;
	__u32 tid;
	__u64 conn; /* connection number, never reused while the object is loaded */
	__u64 time; /* CLOCK_MONOTONIC nanoseconds when the call returned */
};

struct ev_data {
	struct ev_hdr hdr;
	__u64 off; /* stream offset of the payload */
	__u32 dur; /* nanoseconds the call took, saturating */
	__u8 lost; /* bit (1 << enum loss) of every cause of loss in this direction since the last DATA */
	__u8 pad[3];
};

struct tuple {
	__u8 laddr[16]; /* IPv4 in the first four bytes */
	__u8 raddr[16];
	__u16 lport; /* host order */
	__u16 rport; /* network order */
	__u16 family;
	__u16 pad;
};

/* Names one object of one program of one process for ever: the address, process
 * number and start time, and how often it had run another program. */
struct conn_key {
	__u64 ssl;
	__u64 start;
	__u64 exec;
	__u32 tgid;
	__u32 pad;
};

struct ev_conn {
	struct ev_hdr hdr;
	struct conn_key key;
	__u64 cookie;
	struct tuple tuple;
	__u32 conflicts;
	__u8 role; /* as format.Role */
	__u8 mid;  /* 1: older than the recording */
	__u8 alpn_len;
	__u8 probe; /* id of the library, from the attach cookie */
	__u8 alpn[ALPN_LEN];
};

struct ev_end {
	struct ev_hdr hdr;
	__u64 off[2];
	__u64 lost[2][LOSS_LOCATED]; /* bytes, by direction and cause */
	__u64 hs_dur; /* of a handshake that failed */
	__u8 reason; /* as format.EndReason */
	__u8 shutdown;
	__u8 handshake; /* 1: a handshake began and never ended */
	__u8 cause[2];  /* as ev_data.lost, of what came after the last DATA */
	__u8 pad[3];
};

struct ev_handshake {
	struct ev_hdr hdr;
	__u64 dur;
};

struct ev_hello {
	struct ev_hdr hdr;
	__u32 off; /* of the payload, in what was sent or received of the handshake */
	__u32 pad;
};

/* A process is one of a number and a start time: numbers are used again. Times are
 * CLOCK_BOOTTIME nanoseconds. */
struct ev_fork {
	struct ev_hdr hdr;
	__u64 start;
	__u64 pstart; /* of the parent */
	__u64 cgroup;
	__u64 exec; /* execs before, inherited: one program of the process */
	__u32 ppid;
	__u32 uid;
	__u8 comm[COMM_LEN];
	__u8 selected; /* 1: the filters name it */
	__u8 pad[7];
};

struct ev_proc {
	struct ev_fork id;
	__u8 exec;     /* 1: it runs this program from now on */
	__u8 pad[3];
	__u32 args_len;
	__u32 args_all; /* before they were cut */
	__u32 pad2;
	__u8 exe[EXE_LEN]; /* after exec: as the kernel was asked for it, NUL-terminated */
	__u8 args[ARGS_LEN];
};

struct ev_exit {
	struct ev_hdr hdr;
	__u64 start;
	__u32 status; /* as wait(2) gives it */
	__u32 pad;
};

/* Values of the "totals" map, one set a CPU. */
struct counts {
	__u64 events;            /* DATA events that found room; those that could not be filled are taken off again */
	__u64 bytes;             /* of plaintext in them */
	__u64 lost_events[LOSS_N];
	__u64 lost_bytes[LOSS_N];
	__u64 unpaired;          /* returns without their entry */
	/* Not recorded because it goes through a socket that is no network's. */
	__u64 local_conns;
	__u64 local_events;
	__u64 local_bytes;
};

/* Value of the "conns" map: one TLS session object. */
struct conn {
	__u64 id;
	__u64 off[2];  /* next stream offset, by direction; lost bytes included */
	__u64 lost[2][LOSS_LOCATED]; /* bytes lost so far, by cause */
	__u64 cookie;
	__u64 hs_start; /* first handshake call, 0 before */
	__u64 hs_last;  /* end of the last one */
	__u64 born;     /* when it was met */
	struct tuple tuple;
	__u32 conflicts;
	__u32 refs; /* SSL_up_ref calls not yet undone by SSL_free */
	__u8 role, mid, dirty, hs_done;
	__u8 shutdown, alpn_len, probe, announced;
	__u8 cause[2]; /* causes of loss since the last DATA */
	__u8 ended;    /* EndReason: it is over, but EV_END found no room; user space looks for these */
	__u8 local;    /* 1: its first socket is no network's */
	__u8 pad2[4];
	__u8 alpn[ALPN_LEN];
	__u16 hello[2]; /* bytes of the handshake told, by direction */
	__u32 asked;    /* 1: counted in asking */
};

#endif
