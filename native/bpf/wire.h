/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the BPF programs and the addon say to each other: structures, limits and verdicts, nothing else.
 * No structure has hidden padding, because the kernel compares keys byte by byte.
 * Addresses and ports are in network byte order, as they are in the packet; an IPv4 address fills the first four bytes.
 */
#ifndef BASTION_WIRE_H
#define BASTION_WIRE_H

#include <linux/types.h>

/* Raised with every change of a structure below: maps of another layout are replaced, never reused. */
#define BASTION_LAYOUT 6

#define BASTION_MAX_OWNERS 65536
#define BASTION_MAX_PENDING 16384
#define BASTION_MAX_VERDICTS 65536
#define BASTION_MAX_FLOWS 65536
#define BASTION_MAX_PEERS 16384
#define BASTION_MAX_SEEN 8192
#define BASTION_MAX_TRAFFIC 8192
#define BASTION_MAX_USERS 4096
#define BASTION_HIT_SLOTS 16384
#define BASTION_RING_BYTES (1 << 20)
#define BASTION_REPORT_RING_BYTES (1 << 18)
#define BASTION_PATH_BYTES 4096
#define BASTION_COMMAND_BYTES 16
#define BASTION_DNS_BYTES 4096
#define BASTION_DNS_SHORT_BYTES 512

/* Shares of one user, so that he fills no table for the others: sockets, packets that wait unread, new peers a second. */
#define BASTION_USER_SOCKETS (BASTION_MAX_OWNERS / 4)
#define BASTION_USER_PENDING (BASTION_MAX_PENDING / 4)
#define BASTION_USER_PEERS 512

/* Values of bastion_verdict.verdict; 0 stands for none. */
#define BASTION_ACCEPT 1
#define BASTION_REFUSE 2
#define BASTION_DROP 3

/* bastion_owner.flags: the connection was accepted before the hooks were there. */
#define BASTION_OWNER_INBOUND 2
/* No socket of a process sent this: a tunnel's outer packet, a network file system. */
#define BASTION_OWNER_KERNEL 4
/* Found in /proc, for a socket that is older than the hooks: likely, and no ground for what the kernel decides by program. */
#define BASTION_OWNER_ADOPTED 8

/* bastion_pending.flags: nobody can be named, for example because packets of two programs wait under one tuple. */
#define BASTION_PENDING_AMBIGUOUS 1
/* A server answers a peer that spoke first: passes unless something refuses it. */
#define BASTION_PENDING_REPLY 2

/* Values of `peers`. */
#define BASTION_PEER_SPOKE_FIRST 1
#define BASTION_WE_SPOKE_FIRST 2

/* bastion_verdict_key.form: how much the entry says. Parts that it leaves open are zero in the key. */
#define BASTION_FORM_EXACT 0
#define BASTION_FORM_ANY_ADDRESS 1
#define BASTION_FORM_ANY_PORT 2
#define BASTION_FORM_PROGRAM 3
/* Added to the form: for answers to peers that spoke first. */
#define BASTION_FORM_REPLY 8

/* bastion_settings.forms, besides 1 << form: `flows` is not empty. */
#define BASTION_HAS_FLOWS 16

/* bastion_settings.gate: what passes although nobody decided it. */
#define BASTION_GATE_UNDECIDED 1
#define BASTION_GATE_WHEN_AWAY 2
#define BASTION_GATE_UNTRACKED 4

/* A receiver thread that has not turned for so long is away; it turns at least once a second. */
#define BASTION_AWAY_NS 3000000000ULL

/* bastion_report.why */
#define BASTION_REPORT_UNDECIDED 1
#define BASTION_REPORT_REFUSED 2
#define BASTION_REPORT_UNTRACKED 3

/* Index of `counters`. */
#define BASTION_COUNT_ALLOWED 0
#define BASTION_COUNT_REFUSED 1
#define BASTION_COUNT_UNDECIDED 2
#define BASTION_COUNT_MALFORMED 3
#define BASTION_COUNT_RING_LOST 4
#define BASTION_COUNT_AMBIGUOUS 5
#define BASTION_COUNT_GATE_UNDECIDED 6
#define BASTION_COUNT_GATE_REFUSED 7
#define BASTION_COUNT_GATE_UNTRACKED 8
#define BASTION_COUNT_GATE_LOST 9
#define BASTION_COUNT_DNS_LOST 10
#define BASTION_COUNT_OVER_BUDGET 11
#define BASTION_COUNTERS 12

/* An executable's inode. `device` is the kernel's own s_dev: major << 20 | minor. */
struct bastion_executable {
	__u64 inode;
	__u64 ctime_sec;
	__u32 device;
	__u32 generation;
};

/*
 * Who called sock_create, connect or sendmsg on a socket last; for a packet of a datagram or raw socket, who sent it. pid 0:
 * the socket is older than the hooks, or its record was evicted.
 */
struct bastion_owner {
	__u64 cookie;
	__u64 start_ns;
	__u64 network_namespace;
	__u64 cgroup;
	struct bastion_executable executable;
	__u32 pid;
	__u32 uid;
	__u32 gid;
	__u32 mount_namespace;
	__u32 flags;
	__u32 socket_type; /* SOCK_STREAM and so on */
	__u32 user; /* whose share it counts for: the uid, or in a user namespace the uid of who made the outermost one */
	__u32 reserved;
	char command[BASTION_COMMAND_BYTES];
};

struct bastion_destination {
	__u8 address[16];
	__u16 port;
	__u8 protocol;
	__u8 family; /* 4 or 6 */
};

struct bastion_tuple {
	__u8 source[16];
	struct bastion_destination destination;
	__u16 source_port;
	__u16 reserved;
};

struct bastion_pending {
	struct bastion_owner owner;
	__u64 recorded_ns;
	__u32 flags;
	__u32 reserved;
};

/*
 * One socket in the hands of one process; of an adopted socket only the cookie. A socket that is inherited over exec or passed on does not carry the decisions
 * of the program before: executable, pid and start time are those of the owner record. An inode's number alone would not do:
 * in a file system of their own, users choose it.
 */
struct bastion_flow_key {
	__u64 cookie;
	__u64 start_ns;
	struct bastion_executable executable;
	__u32 pid;
	struct bastion_destination destination;
};

struct bastion_verdict_key {
	struct bastion_executable executable;
	__u64 network_namespace;
	__u32 uid;
	struct bastion_destination destination;
	__u32 form;
	__u32 reserved;
};

struct bastion_peer_key {
	__u64 cookie;
	struct bastion_destination peer;
	__u32 reserved;
};

struct bastion_verdict {
	__u32 verdict;
	__u32 generation;
	__u64 until_ns; /* CLOCK_BOOTTIME; 0 for no end */
	__u32 hit_slot; /* index of `hits`, 0 for none */
	__u32 reserved;
};

struct bastion_amount {
	__u64 bytes;
	__u64 packets;
};

/* One thread between two of its execs: what was read of it then holds, but for its uid. Never seen outside the kernel. */
struct bastion_task {
	__u64 task;
	__u64 start_ns;
	__u64 exec_id;
};

/* What the gate knows of one socket. An accepted connection starts with a copy of its listener's, cookie included. */
struct bastion_socket {
	struct bastion_owner owner;
	/* Who was last recorded. */
	struct bastion_task caller;
	/* The stream may go on as long as this is the current generation and the time has not come; see on_egress. */
	__u32 generation;
	__u32 released;
	/* The socket that was allowed: an accepted connection starts with a copy of what its listener was before. */
	__u64 allowed_cookie;
	__u64 until_ns;
	__u64 reported_ns;
	/* Not yet added to `traffic`. */
	struct bastion_amount sent;
	struct bastion_amount received;
};

struct bastion_traffic_key {
	struct bastion_executable executable;
	__u32 uid;
	__u32 reserved;
};

/* IP datagrams as the stack hands them over. */
struct bastion_traffic {
	struct bastion_amount sent;
	struct bastion_amount received;
};

/* What one user takes of the tables. */
struct bastion_share {
	__u64 drained_ns; /* `pending` counts since then */
	__u64 second; /* `peers` counts in this one */
	__u32 sockets;
	__u32 pending;
	__u32 peers;
	__u32 reserved;
};

/* A packet that the gate dropped. `cookie` is the socket's own, which for an accepted connection is not its owner's. */
struct bastion_report {
	struct bastion_owner owner;
	struct bastion_tuple tuple;
	__u64 cookie;
	__u64 time_ns;
	__u32 why;
	__u32 flags; /* as bastion_pending.flags */
	__u32 interface_index;
	__u32 length;
};

/* A DNS message, or a TCP segment with a part of one; the event ends after `length` bytes of payload, rounded up. */
struct bastion_dns_event {
	struct bastion_owner owner;
	struct bastion_tuple tuple;
	__u64 time_ns;
	__u32 sequence;
	__u32 received; /* 0: sent */
	__u32 length;
	__u32 reserved;
	__u8 payload[BASTION_DNS_BYTES];
};

/* Memory-mapped by the addon. */
struct bastion_settings {
	__u32 layout;
	__u32 generation;
	/* Not 0: the programs note owners and decide nothing. */
	__u32 decide_in_thread;
	__u32 gate;
	/* Every packet recorded before this time (CLOCK_BOOTTIME) has been read from the queue. */
	__u64 drained_ns;
	/* When the receiver thread last turned; 0 after it left. */
	__u64 turned_ns;
	/* Cookie of the network namespace that is guarded: others' sockets pass the gate. */
	__u64 network_namespace;
	/* The process that gives verdicts: what it puts back on its way was decided. */
	__u64 helper_start_ns;
	__u32 helper_pid;
	/* A bit for each form (without BASTION_FORM_REPLY) and BASTION_HAS_FLOWS: set before the first such entry is written. */
	__u32 forms;
	/* What netfilter is to refuse is put back with it. */
	__u32 refuse_mark;
	__u32 reserved;
	/* Names the rules behind the entries of the current generation, 0 for none. */
	__u64 policy;
};

/*
 * A path is told once for each mount namespace: in one of their own, users name any file as they like, and what they say there
 * must not take the place of the name that everybody else sees.
 */
struct bastion_seen_key {
	struct bastion_executable executable;
	__u32 mount_namespace;
	__u32 reserved;
};

/* The names of the path's parts, the last first, each ended by NUL. */
struct bastion_path_event {
	struct bastion_executable executable;
	__u32 length;
	__u32 complete;
	__u32 mount_namespace;
	__u32 reserved;
	char names[BASTION_PATH_BYTES];
};

#endif
