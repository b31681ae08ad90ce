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
#define BASTION_LAYOUT 9

#define BASTION_MAX_OWNERS 65536
#define BASTION_MAX_PENDING 16384
#define BASTION_MAX_VERDICTS 65536
#define BASTION_MAX_FLOWS 65536
#define BASTION_MAX_PEERS 16384
#define BASTION_MAX_SEEN 8192
#define BASTION_MAX_TRAFFIC 8192
#define BASTION_MAX_USERS 4096
#define BASTION_MAX_PROCESSES 65536
#define BASTION_MAX_IMAGES 16384
#define BASTION_MAX_EXITED 65536
#define BASTION_HIT_SLOTS 16384
#define BASTION_RING_BYTES (1 << 20)
#define BASTION_REPORT_RING_BYTES (1 << 18)
#define BASTION_PATH_BYTES 4096
#define BASTION_COMMAND_BYTES 16
#define BASTION_FILENAME_BYTES 256
#define BASTION_INTERPRETER_BYTES 128
#define BASTION_ARGUMENT_BYTES 896
#define BASTION_DIRECTORY_BYTES 512
#define BASTION_DNS_BYTES 4096
#define BASTION_DNS_SHORT_BYTES 512

/* A connection that lasts longer is told of while it is open; a shorter one once, at its end. */
#define BASTION_LASTING_NS 1000000000ULL
/* So many events of one user wake the receiver thread, which else looks by itself, once a second. */
#define BASTION_EVENTS_WAKE 256

/*
 * Shares of one user, so that he fills no table for the others: sockets, packets that wait unread, new peers a second, running
 * processes, images, processes that have ended and are still known.
 */
#define BASTION_USER_SOCKETS (BASTION_MAX_OWNERS / 4)
#define BASTION_USER_PENDING (BASTION_MAX_PENDING / 4)
#define BASTION_USER_PEERS 512
#define BASTION_USER_PROCESSES (BASTION_MAX_PROCESSES / 4)
#define BASTION_USER_IMAGES (BASTION_MAX_IMAGES / 4)
#define BASTION_USER_EXITED 1024
/* What the history is told of one user's connections in a second. */
#define BASTION_USER_EVENTS 2048

/* A chain of images is cut so that between one and two times as many are left. */
#define BASTION_CHAIN 32

/* bastion_process.flags: what it runs, or what ran before, found no room; see bastion_image.flags. */
#define BASTION_PROCESS_GAP 1

/* bastion_image.flags: programs that ran before this one are not known. */
#define BASTION_IMAGE_GAP 1
/* Older than the programs: what ran when they were attached, under the parent that it had then. */
#define BASTION_IMAGE_ADOPTED 2
/* The interpreter is another file than the one that was to be run. */
#define BASTION_IMAGE_SCRIPT 4
/* Some part of the text did not fit, or could not be read. */
#define BASTION_IMAGE_TRUNCATED 8
/* `directory` is whole, and the root directory of the process was that of its mount namespace. */
#define BASTION_IMAGE_DIRECTORY 16

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

/*
 * A receiver thread that has not turned for so long is away; it turns at least once a second. By CLOCK_MONOTONIC: after a
 * machine's sleep nobody was away.
 */
#define BASTION_AWAY_NS 3000000000ULL

/* bastion_report.why */
#define BASTION_REPORT_UNDECIDED 1
#define BASTION_REPORT_REFUSED 2
#define BASTION_REPORT_UNTRACKED 3

/* bastion_flow_event.kind */
#define BASTION_FLOW_OPEN 1
#define BASTION_FLOW_ENDED 2

/* bastion_flow_event.flags: a peer opened the connection. */
#define BASTION_FLOW_INBOUND 1

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
#define BASTION_COUNT_LINEAGE_LOST 12
#define BASTION_COUNT_FLOWS_LOST 13
#define BASTION_COUNTERS 14

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
	__u64 recorded_ns; /* the last packet under this tuple */
	__u64 changed_ns; /* the last one that came from another program than the one before */
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
	struct bastion_amount sent;
	struct bastion_amount received;
	/* What of that is in `traffic`. */
	struct bastion_amount sent_added;
	struct bastion_amount received_added;
	/* What of that was there before the connection: a listener's, or of a connection before it. */
	struct bastion_amount sent_before;
	struct bastion_amount received_before;
	/* The connection that the history is told of at its end: as its socket has it, and as it was decided last. */
	struct bastion_tuple tuple;
	__u64 begun_cookie; /* the socket that it is */
	__u64 begun_ns; /* CLOCK_MONOTONIC_COARSE; 0: it is not told of */
	__u64 tell_ns; /* when it counts as lasting; 0: it was told of */
	__u32 decided_generation;
	__u32 hit_slot;
	__u32 interface_index;
	__u32 length; /* of its first packet */
	__u32 inbound; /* a peer opened it */
	__u32 reserved;
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

/* The same of the record of forks and execs: apart, because older kernels leave the gate's programs no room on the stack. */
struct bastion_family_share {
	__u32 processes; /* that run */
	__u32 images;
	__u32 exited; /* so far: numbers the slots of `exited` */
	__u32 reserved;
};

/* The same of `flow_events`, in one second. */
struct bastion_event_share {
	__u64 second;
	__u32 told;
	__u32 reserved;
};

/* One process for ever: numbers are used again, but not together with the time of the start. */
struct bastion_process_key {
	__u64 start_ns;
	__u32 pid;
	__u32 reserved;
};

/* One exec of one process; time 0 for none. */
struct bastion_image_key {
	__u64 time_ns;
	__u32 pid;
	__u32 reserved;
};

struct bastion_process {
	struct bastion_executable executable; /* what its last exec ran, also where there was no room for an image */
	struct bastion_image_key image; /* its own, or of the process that it was forked from, in any generation */
	__u64 exec_id;
	__u64 exited_ns; /* 0: it runs */
	__u32 user; /* as bastion_owner.user */
	__u32 flags;
};

/*
 * What a process ran from one exec to the next. Never changed but for `users`, and where a chain that is too long is cut: what
 * a parent does after a fork does not show in its older children. `parent` is what ran in the same process before, which right
 * after a fork is what its parent ran then.
 */
struct bastion_image {
	struct bastion_image_key parent;
	struct bastion_executable executable;
	__u64 start_ns; /* of the process */
	__u32 pid;
	__u32 mount_namespace;
	__u32 users; /* processes that run it, and images whose parent it is */
	__u32 depth;
	__u32 user; /* whose share it fills */
	__u32 flags;
	__u32 arguments_length;
	__u32 directory_length;
	char command[BASTION_COMMAND_BYTES];
	char filename[BASTION_FILENAME_BYTES]; /* ended by NUL */
	char interpreter[BASTION_INTERPRETER_BYTES]; /* the same; empty if it is the file itself */
	char arguments[BASTION_ARGUMENT_BYTES]; /* each ended by NUL */
	char directory[BASTION_DIRECTORY_BYTES]; /* names of the working directory, as in bastion_path_event */
};

/* Where a process that has ended waits for its record to go: the oldest of its user's goes first. */
struct bastion_exited_key {
	__u32 user;
	__u32 slot;
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

/*
 * A connection that passed the gate: open for longer than BASTION_LASTING_NS, or at its end. `tuple` has the peer as its
 * destination, whoever began. Times are CLOCK_MONOTONIC. For an accepted one `owner` is the listener's.
 */
struct bastion_flow_event {
	struct bastion_owner owner;
	struct bastion_tuple tuple;
	__u64 cookie; /* the socket's own */
	__u64 begun_ns;
	__u64 time_ns;
	struct bastion_amount sent;
	struct bastion_amount received;
	__u32 kind;
	__u32 flags;
	/* What decided it: `hit_slot` counts for the rules of this generation. 0: nobody did. */
	__u32 generation;
	__u32 hit_slot;
	__u32 interface_index;
	__u32 length; /* of its first packet */
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
	/* When the receiver thread last turned (CLOCK_MONOTONIC); 0 after it left. */
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
	/* For adopt_process: not 0 to take also processes whose parent has no record. */
	__u32 adopt_all;
	/* Names the rules behind the entries of the current generation, 0 for none. */
	__u64 policy;
	/* Not 0: connections are told of in `flow_events`. */
	__u32 tell_flows;
	__u32 reserved;
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
