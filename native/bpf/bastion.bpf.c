// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Owner hooks and the two programs that netfilter asks through xt_bpf. The programs decide nothing by themselves: they
 * repeat what the addon wrote, and whatever they cannot tell goes to the queue.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#include "wire.h"
#include "kernel-types.h"
#include "maps.h"
#include "packet.h"
#include "owner.h"

char LICENSE[] SEC("license") = "GPL";

#define HOOK_PASS 1
/* Source: include/linux/net.h, enum sock_type: a number of the kernel's ABI. */
#define SOCKET_DATAGRAM 2
#define SOCKET_RAW 3
#define LOOPBACK_INDEX 1

/*
 * A packet can wait between xt_bpf and the queue for as long as its sender is preempted: entries of this age below the
 * drained mark are still taken for waiting.
 */
#define SETTLE_NS 20000000ULL

/* inet_create, inet6_create -> BPF_CGROUP_RUN_PROG_INET_SOCK: not for the kernel's own sockets. Stable since 4.10. */
SEC("cgroup/sock_create")
int on_sock_create(struct bpf_sock *context)
{
	struct bastion_owner owner = {};
	__u64 cookie = bpf_get_socket_cookie(context);

	owner.cookie = cookie;
	owner.network_namespace = bpf_get_netns_cookie(context);
	owner.socket_type = context->type;
	read_caller(&owner);
	bpf_map_update_elem(&owners, &cookie, &owner, BPF_ANY);
	return HOOK_PASS;
}

/* The map is written only for another caller: rewriting it costs more than the rest of a sendto. */
static __always_inline int on_address(struct bpf_sock_addr *context, __u32 set_flags)
{
	struct bastion_owner owner = {};
	struct bastion_owner *known;
	__u64 cookie = bpf_get_socket_cookie(context);

	owner.cookie = cookie;
	owner.network_namespace = bpf_get_netns_cookie(context);
	owner.socket_type = context->type;
	read_caller(&owner);
	/* A kernel's thread, which connects on somebody's behalf: of whom, the socket's maker may say. */
	if (!owner.executable.inode)
		return HOOK_PASS;
	known = bpf_map_lookup_elem(&owners, &cookie);
	if (known) {
		owner.flags = known->flags | set_flags;
		if (same_process(known, &owner) && known->flags == owner.flags)
			return HOOK_PASS;
	} else {
		owner.flags = set_flags;
	}
	bpf_map_update_elem(&owners, &cookie, &owner, BPF_ANY);
	return HOOK_PASS;
}

/* inet_stream_connect, inet_dgram_connect -> sk->sk_prot->pre_connect, before a port is chosen. Stable since 4.17. */
SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *context)
{
	return on_address(context, 0);
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *context)
{
	return on_address(context, 0);
}

/* udp_sendmsg, udpv6_sendmsg with an address; not for a connected socket without one. Stable since 4.18. */
SEC("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr *context)
{
	return on_address(context, 0);
}

SEC("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr *context)
{
	return on_address(context, 0);
}

/* inet_bind, inet6_bind. Port 0 is the kernel's choice, so nobody could have spoken to it first. Stable since 4.17. */
SEC("cgroup/bind4")
int on_bind4(struct bpf_sock_addr *context)
{
	return on_address(context, context->user_port ? BASTION_OWNER_BOUND : 0);
}

SEC("cgroup/bind6")
int on_bind6(struct bpf_sock_addr *context)
{
	return on_address(context, context->user_port ? BASTION_OWNER_BOUND : 0);
}

/*
 * sk_filter_trim_cap on receipt, after the socket was found; never drops. A UDP peer that speaks first to a server is
 * noted, once: what is there already, above all "we spoke first", stays. Stable since 4.10.
 */
SEC("cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb)
{
	struct bpf_sock *socket = skb->sk;
	struct bastion_owner *owner;
	struct bastion_tuple tuple = {};
	struct bastion_peer_key key = {};
	__u32 value = BASTION_PEER_SPOKE_FIRST;

	if (!socket || skb->ifindex == LOOPBACK_INDEX)
		return HOOK_PASS;
	socket = bpf_sk_fullsock(socket);
	if (!socket || socket->protocol != IPPROTO_UDP)
		return HOOK_PASS;
	key.cookie = bpf_get_socket_cookie(skb);
	owner = bpf_map_lookup_elem(&owners, &key.cookie);
	if (!owner || !(owner->flags & BASTION_OWNER_BOUND) || read_packet(skb, &tuple))
		return HOOK_PASS;
	__builtin_memcpy(key.peer.address, tuple.source, sizeof(key.peer.address));
	key.peer.port = tuple.source_port;
	key.peer.protocol = tuple.destination.protocol;
	key.peer.family = tuple.destination.family;
	if (!bpf_map_lookup_elem(&peers, &key))
		bpf_map_update_elem(&peers, &key, &value, BPF_NOEXIST);
	return HOOK_PASS;
}

static __always_inline __u32 live_verdict(const struct bastion_verdict *verdict, const struct bastion_settings *now)
{
	if (!verdict || verdict->generation != now->generation)
		return 0;
	if (verdict->until_ns && bpf_ktime_get_boot_ns() >= verdict->until_ns)
		return 0;
	return verdict->verdict;
}

/* What is remembered for the socket, else for its program; 0 for nothing. */
static __always_inline __u32 remembered(__u64 cookie, const struct bastion_owner *owner,
					const struct bastion_destination *destination)
{
	struct bastion_settings *now = current_settings();
	struct bastion_flow_key flow = {};
	struct bastion_verdict_key program = {};
	__u32 verdict;

	if (!now || !cookie || now->decide_in_thread)
		return 0;
	flow.cookie = cookie;
	flow.destination = *destination;
	if (owner) {
		flow.start_ns = owner->start_ns;
		flow.executable = owner->executable;
		flow.pid = owner->pid;
	}
	verdict = live_verdict(bpf_map_lookup_elem(&flows, &flow), now);
	if (verdict || !owner)
		return verdict;
	program.executable = owner->executable;
	program.network_namespace = owner->network_namespace;
	program.uid = owner->uid;
	program.destination = *destination;
	return live_verdict(bpf_map_lookup_elem(&verdicts, &program), now);
}

/* Did the peer speak first to this server? If nobody has, we do now. */
static __always_inline int answers_peer(__u64 cookie, const struct bastion_owner *owner,
					const struct bastion_destination *destination)
{
	struct bastion_peer_key key = {};
	__u32 value = BASTION_WE_SPOKE_FIRST;
	__u32 *known;

	if (!owner || !(owner->flags & BASTION_OWNER_BOUND) || destination->protocol != IPPROTO_UDP)
		return 0;
	key.cookie = cookie;
	key.peer = *destination;
	known = bpf_map_lookup_elem(&peers, &key);
	if (known)
		return *known == BASTION_PEER_SPOKE_FIRST;
	bpf_map_update_elem(&peers, &key, &value, BPF_NOEXIST);
	return 0;
}

/*
 * Who sends this packet. A stream is its connector's, because its packets may leave from any task; a datagram is sent by the
 * task that runs now (ip_local_out is called below sendmsg), whoever made or connected its socket: what was inherited over
 * exec or passed on lends nobody its permission, and the loss of a record names nobody else. A kernel's thread has no file.
 */
static __always_inline const struct bastion_owner *sender_of(__u64 cookie, const struct bastion_tuple *tuple,
							     struct bastion_owner *caller)
{
	const struct bastion_owner *owner = bpf_map_lookup_elem(&owners, &cookie);
	__u8 protocol = tuple->destination.protocol;

	if (owner) {
		if (owner->socket_type != SOCKET_DATAGRAM && owner->socket_type != SOCKET_RAW)
			return owner;
		if (is_caller(owner))
			return owner;
		caller->network_namespace = owner->network_namespace;
		caller->flags = owner->flags;
		caller->socket_type = owner->socket_type;
	} else if (!cookie || (protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE)) {
		return owner;
	}
	caller->cookie = cookie;
	read_caller(caller);
	return caller->executable.inode ? caller : owner;
}

static __always_inline int still_waits(const struct bastion_pending *known)
{
	struct bastion_settings *now = current_settings();

	return !now || known->recorded_ns + SETTLE_NS >= now->drained_ns;
}

/*
 * Notes who sent the packet that goes to the queue next, before it can get there. Two programs under one tuple
 * (SO_REUSEPORT, raw sockets, a socket passed on) cannot be told apart by the reader: neither is named then.
 */
static __always_inline void record_pending(__u64 cookie, const struct bastion_owner *owner, const struct bastion_tuple *tuple,
					   __u32 flags)
{
	struct bastion_pending entry = {};
	struct bastion_pending *known;

	if (owner)
		entry.owner = *owner;
	entry.owner.cookie = cookie;
	entry.flags = flags;
	/*
	 * The kernel's own answers, which have an exception, or a ping socket without a record: its holder in /proc is not
	 * proof of who sends, because a descriptor can be held where /proc does not show it.
	 */
	if (!owner && (tuple->destination.protocol == IPPROTO_ICMP || tuple->destination.protocol == IPPROTO_ICMPV6))
		entry.flags |= BASTION_PENDING_AMBIGUOUS;
	entry.recorded_ns = bpf_ktime_get_boot_ns();
	count(BASTION_COUNT_UNDECIDED);
	if (!bpf_map_update_elem(&pending, tuple, &entry, BPF_NOEXIST))
		return;
	known = bpf_map_lookup_elem(&pending, tuple);
	if (!known || !still_waits(known) ||
	    (!(known->flags & BASTION_PENDING_AMBIGUOUS) && same_program(&known->owner, &entry.owner) &&
	     (owner || known->owner.cookie == cookie))) {
		if (bpf_map_update_elem(&pending, tuple, &entry, BPF_ANY))
			bpf_map_delete_elem(&pending, tuple);
		return;
	}
	count(BASTION_COUNT_AMBIGUOUS);
	known->flags |= BASTION_PENDING_AMBIGUOUS;
	known->recorded_ns = entry.recorded_ns;
}

/*
 * ip_local_out -> nf_hook(LOCAL_OUT) -> xt_bpf: a rule matches when the program returns nonzero. Stable since 4.10.
 * Asked first: is this refused already?
 */
SEC("socket")
int xt_refuse(struct __sk_buff *skb)
{
	struct bastion_tuple tuple = {};
	struct bastion_owner caller = {};
	const struct bastion_owner *owner;
	__u64 cookie;
	__u32 verdict;

	if (read_packet(skb, &tuple))
		return 0;
	cookie = bpf_get_socket_cookie(skb);
	owner = sender_of(cookie, &tuple, &caller);
	verdict = remembered(cookie, owner, &tuple.destination);
	if (verdict != BASTION_REFUSE && verdict != BASTION_DROP)
		return 0;
	answers_peer(cookie, owner, &tuple.destination);
	count(BASTION_COUNT_REFUSED);
	return 1;
}

/* Asked second: is this allowed already? What is not goes on to the queue, with its owner noted. */
SEC("socket")
int xt_allow(struct __sk_buff *skb)
{
	struct bastion_tuple tuple = {};
	struct bastion_owner caller = {};
	const struct bastion_owner *owner;
	__u64 cookie;
	__u32 verdict;
	int reply;

	if (read_packet(skb, &tuple)) {
		count(BASTION_COUNT_MALFORMED);
		return 0;
	}
	cookie = bpf_get_socket_cookie(skb);
	owner = sender_of(cookie, &tuple, &caller);
	verdict = remembered(cookie, owner, &tuple.destination);
	reply = answers_peer(cookie, owner, &tuple.destination);
	if (verdict == BASTION_ACCEPT) {
		count(BASTION_COUNT_ALLOWED);
		return 1;
	}
	record_pending(cookie, owner, &tuple, reply ? BASTION_PENDING_REPLY : 0);
	return 0;
}
