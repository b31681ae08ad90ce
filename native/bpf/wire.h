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
#define BASTION_LAYOUT 3

#define BASTION_MAX_OWNERS 65536
#define BASTION_MAX_PENDING 16384
#define BASTION_MAX_VERDICTS 65536
#define BASTION_MAX_FLOWS 65536
#define BASTION_MAX_PEERS 16384
#define BASTION_MAX_SEEN 8192
#define BASTION_RING_BYTES (1 << 20)
#define BASTION_PATH_BYTES 4096
#define BASTION_COMMAND_BYTES 16

/* Values of bastion_verdict.verdict; 0 stands for none. */
#define BASTION_ACCEPT 1
#define BASTION_REFUSE 2
#define BASTION_DROP 3

/* bastion_owner.flags: the program bound this socket to a port that it chose. */
#define BASTION_OWNER_BOUND 1

/* bastion_pending.flags: nobody can be named, for example because packets of two programs wait under one tuple. */
#define BASTION_PENDING_AMBIGUOUS 1
/* A server's datagram to a UDP peer that spoke first: passes unless something refuses it. */
#define BASTION_PENDING_REPLY 2

/* Values of `peers`. */
#define BASTION_PEER_SPOKE_FIRST 1
#define BASTION_WE_SPOKE_FIRST 2

/* Index of `counters`. */
#define BASTION_COUNT_ALLOWED 0
#define BASTION_COUNT_REFUSED 1
#define BASTION_COUNT_UNDECIDED 2
#define BASTION_COUNT_MALFORMED 3
#define BASTION_COUNT_RING_LOST 4
#define BASTION_COUNT_AMBIGUOUS 5
#define BASTION_COUNTERS 6

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
 * One socket in the hands of one process. A socket that is inherited over exec or passed on does not carry the decisions
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
};

/* Memory-mapped by the addon. */
struct bastion_settings {
	__u32 layout;
	__u32 generation;
	/* Not 0: the programs note owners and decide nothing. */
	__u32 decide_in_thread;
	__u32 reserved;
	/* Every packet recorded before this time (CLOCK_BOOTTIME) has been read from the queue. */
	__u64 drained_ns;
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
