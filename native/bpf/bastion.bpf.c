// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Owner hooks, the programs that netfilter asks through xt_bpf, the gate, and the record of forks and execs. The programs decide nothing by themselves: they
 * repeat what the addon wrote, and whatever they cannot tell goes to the queue.
 */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "wire.h"
#include "kernel-types.h"
#include "maps.h"
#include "packet.h"
#include "owner.h"
#include "shares.h"
#include "decide.h"
#include "gate.h"
#include "dns.h"
#include "flow-events.h"
#include "lineage.h"

char LICENSE[] SEC("license") = "GPL";

#define HOOK_PASS 1
#define LOOPBACK_INDEX 1
/* 127.0.0.53 */
#define STUB_ADDRESS 0x7f000035

/*
 * A packet can wait between xt_bpf and the queue for as long as its sender is preempted: entries of this age below the
 * drained mark are still taken for waiting.
 */
#define SETTLE_NS 100000000ULL

/* inet_create, inet6_create -> BPF_CGROUP_RUN_PROG_INET_SOCK: not for the kernel's own sockets. Stable since 4.10. */
SEC("cgroup/sock_create")
int on_sock_create(struct bpf_sock *context)
{
	struct bastion_owner owner = {};
	struct bastion_socket *record;

	read_caller(&owner);
	tell_path(&owner);
	owner.cookie = bpf_get_socket_cookie(context);
	owner.network_namespace = bpf_get_netns_cookie(context);
	owner.socket_type = context->type;
	record = bpf_sk_storage_get(&sockets, context, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (record) {
		record->owner = owner;
		read_task(&record->caller);
	}
	if (context->type == SOCKET_STREAM)
		put_owner(&owner);
	return HOOK_PASS;
}

/* inet_release, before the protocol's own: what is still to be sent goes on being counted. Stable since 5.9. */
SEC("cgroup/sock_release")
int on_sock_release(struct bpf_sock *context)
{
	struct bastion_socket *record = bpf_sk_storage_get(&sockets, context, 0, 0);

	if (record) {
		record->released = 1;
		flush_amounts(record);
	}
	if (context->type == SOCKET_STREAM)
		drop_owner(bpf_get_socket_cookie(context));
	return HOOK_PASS;
}

/* A kernel's thread that opens one more subflow of an MPTCP connection does so for whoever connected that. */
static __always_inline int read_mptcp_owner(struct bpf_sock_addr *context, struct bastion_owner *owner)
{
	__u64 cookie = mptcp_cookie(BPF_CORE_READ((struct bpf_sock_addr_kern *)context, sk));
	struct bastion_owner *whole = cookie ? bpf_map_lookup_elem(&owners, &cookie) : 0;

	if (!whole)
		return 0;
	cookie = owner->cookie;
	*owner = *whole;
	owner->cookie = cookie;
	owner->socket_type = SOCKET_STREAM;
	return 1;
}

static __always_inline int same_task(const struct bastion_task *a, const struct bastion_task *b)
{
	return a->task == b->task && a->start_ns == b->start_ns && a->exec_id == b->exec_id;
}

/* For xt_bpf. A socket that the kernel made for an MPTCP connection is found by that one's, which is released. */
static __always_inline void put_stream_owner(struct bpf_sock_addr *context, struct bastion_owner *owner)
{
	__u64 whole = mptcp_cookie(BPF_CORE_READ((struct bpf_sock_addr_kern *)context, sk));

	if (whole)
		owner->cookie = whole;
	put_owner(owner);
}

/* Read and written only for another caller: that costs more than the rest of a sendto. */
static __always_inline int on_address(struct bpf_sock_addr *context)
{
	struct bastion_owner owner = {};
	struct bastion_socket *record;
	struct bastion_task caller;
	__u64 cookie = bpf_get_socket_cookie(context);

	if (!context->sk)
		return HOOK_PASS;
	read_task(&caller);
	record = bpf_sk_storage_get(&sockets, context->sk, 0, 0);
	if (record) {
		/* What was accepted or allowed before was another connection. */
		if (context->type == SOCKET_STREAM) {
			record->generation = 0;
			if (record->begun_cookie)
				end_stream(record, cookie);
		}
		if (same_task(&caller, &record->caller) && record->owner.cookie == cookie && record->owner.uid == uid_now())
			return HOOK_PASS;
	}
	read_caller(&owner);
	owner.cookie = cookie;
	/* A kernel's thread connects on somebody's behalf: of whom, the socket's maker may say. */
	if (!owner.executable.inode && !read_mptcp_owner(context, &owner))
		return HOOK_PASS;
	tell_path(&owner);
	owner.network_namespace = bpf_get_netns_cookie(context);
	owner.socket_type = context->type;
	record = bpf_sk_storage_get(&sockets, context->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (record) {
		record->owner = owner;
		record->caller = caller;
	}
	if (context->type == SOCKET_STREAM)
		put_stream_owner(context, &owner);
	return HOOK_PASS;
}

/* inet_stream_connect, inet_dgram_connect -> sk->sk_prot->pre_connect, before a port is chosen. Stable since 4.17. */
SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *context)
{
	return on_address(context);
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *context)
{
	return on_address(context);
}

/* udp_sendmsg, udpv6_sendmsg with an address; not for a connected socket without one. Stable since 4.18. */
SEC("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr *context)
{
	return on_address(context);
}

SEC("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr *context)
{
	return on_address(context);
}

/* A UDP peer that speaks first to a server is noted, once: what is there already, above all "we spoke first", stays. */
static __always_inline void note_peer(const struct bastion_owner *owner, __u64 cookie, const struct bastion_tuple *tuple)
{
	struct bastion_peer_key key = {};
	__u32 value = BASTION_PEER_SPOKE_FIRST;

	key.cookie = cookie;
	__builtin_memcpy(key.peer.address, tuple->source, sizeof(key.peer.address));
	key.peer.port = tuple->source_port;
	key.peer.protocol = tuple->destination.protocol;
	key.peer.family = tuple->destination.family;
	if (!bpf_map_lookup_elem(&peers, &key) && take_peer(owner->user))
		bpf_map_update_elem(&peers, &key, &value, BPF_NOEXIST);
}

/*
 * On loopback only what a program asks systemd-resolved's stub is looked at: whose question it was is known nowhere else.
 * Only for sockets that are connected to it, which is what C libraries do. Source: systemd-resolved.service(8).
 */
static __noinline int note_stub(struct __sk_buff *skb, int received)
{
	struct bpf_sock *socket = skb->sk;
	struct bastion_socket *record;
	struct bastion_tuple tuple = {};
	int transport;

	if (!socket)
		return 0;
	socket = bpf_sk_fullsock(socket);
	if (!socket || socket->dst_port != bpf_htons(DNS_PORT) ||
	    (socket->dst_ip4 != bpf_htonl(STUB_ADDRESS) && socket->dst_ip4 != bpf_htonl(STUB_ADDRESS + 1)))
		return 0;
	record = bpf_sk_storage_get(&sockets, socket, 0, 0);
	transport = read_packet(skb, &tuple);
	if (record && transport >= 0)
		copy_dns(skb, &record->owner, &tuple, transport, received);
	return 0;
}

/* sk_filter_trim_cap on receipt, after the socket was found; never drops. Stable since 4.10. */
SEC("cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb)
{
	struct bpf_sock *socket = skb->sk;
	struct bastion_socket *record;
	struct bastion_tuple tuple = {};
	int transport;

	if (skb->ifindex == LOOPBACK_INDEX) {
		note_stub(skb, 1);
		return HOOK_PASS;
	}
	if (!socket)
		return HOOK_PASS;
	socket = bpf_sk_fullsock(socket);
	if (!socket)
		return HOOK_PASS;
	record = bpf_sk_storage_get(&sockets, socket, 0, 0);
	if (!record)
		return HOOK_PASS;
	account(record, &record->received, &record->received_added, skb->len);
	if (socket->state == STATE_LISTEN)
		record->received_before = record->received;
	if (socket->protocol == IPPROTO_TCP ? socket->dst_port != bpf_htons(DNS_PORT) : socket->protocol != IPPROTO_UDP)
		return HOOK_PASS;
	transport = read_packet(skb, &tuple);
	if (transport < 0)
		return HOOK_PASS;
	if (tuple.source_port == bpf_htons(DNS_PORT))
		copy_dns(skb, &record->owner, &tuple, transport, 1);
	if (socket->protocol == IPPROTO_UDP && is_bound(kernel_socket(skb)))
		note_peer(&record->owner, record->owner.cookie, &tuple);
	return HOOK_PASS;
}

static __noinline int note_question(struct __sk_buff *skb, const struct bastion_owner *owner)
{
	struct bastion_tuple tuple = {};
	int transport = read_packet(skb, &tuple);

	if (owner && transport >= 0 && tuple.destination.port == bpf_htons(DNS_PORT))
		copy_dns(skb, owner, &tuple, transport, 0);
	return 0;
}

/*
 * ip_finish_output, ip6_finish_output, before the packet is cut into fragments; for a SYN-ACK with the listening socket.
 * Packets without a full socket (TIME-WAIT, the kernel's answers to nobody) carry no program's data. Stable since 4.10.
 */
SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
	struct bastion_settings *now = current_settings();
	struct bpf_sock *socket = skb->sk;
	struct bastion_socket *record;

	if (!now || !socket)
		return GATE_PASS;
	socket = bpf_sk_fullsock(socket);
	if (!socket)
		return GATE_PASS;
	if (skb->ifindex == LOOPBACK_INDEX && (is_stream(socket) || !has_doubtful_source(skb))) {
		note_stub(skb, 0);
		return GATE_PASS;
	}
	record = bpf_sk_storage_get(&sockets, socket, 0, 0);
	/* The stream was allowed, and nothing has changed since. */
	if (!record || record->generation != now->generation || socket->state == STATE_LISTEN ||
	    record->allowed_cookie != bpf_get_socket_cookie(skb) || has_detour(skb) ||
	    (record->until_ns && bpf_ktime_get_boot_ns() >= record->until_ns)) {
		if (!record)
			record = adopt(skb, socket, now);
		if (judge_packet(skb, socket, record, now) == GATE_DROP)
			return GATE_DROP;
		if (!record)
			return GATE_PASS;
	}
	account(record, &record->sent, &record->sent_added, skb->len);
	if (socket->state == STATE_LISTEN)
		record->sent_before = record->sent;
	if (record->tell_ns && bpf_ktime_get_coarse_ns() >= record->tell_ns)
		tell_lasting(skb, record);
	if (socket->protocol == IPPROTO_TCP ? socket->dst_port == bpf_htons(DNS_PORT) : socket->protocol == IPPROTO_UDP)
		note_question(skb, &record->owner);
	return GATE_PASS;
}

/* Can what was recorded at that time still be unread? */
static __always_inline int still_waits(__u64 recorded_ns, const struct bastion_settings *now)
{
	return recorded_ns + SETTLE_NS >= now->drained_ns;
}

/*
 * Notes who sent the packet that goes to the queue next, before it can get there. Two programs under one tuple
 * (SO_REUSEPORT, raw sockets, a socket passed on) cannot be told apart by the reader: neither is named then.
 */
static __always_inline int record_pending(struct bastion_pending *entry, const struct bastion_tuple *tuple, int owned)
{
	struct bastion_settings *now = current_settings();
	struct bastion_pending *known;
	int same;

	if (!now || !take_pending(owned ? entry->owner.user : NOBODY, now))
		return 0;
	/* A ping socket without a record: its holder in /proc is no proof, because a descriptor can be held where it is not shown. */
	if (!owned && (tuple->destination.protocol == IPPROTO_ICMP || tuple->destination.protocol == IPPROTO_ICMPV6))
		entry->flags |= BASTION_PENDING_AMBIGUOUS;
	entry->recorded_ns = bpf_ktime_get_boot_ns();
	entry->changed_ns = entry->recorded_ns;
	count(BASTION_COUNT_UNDECIDED);
	if (!bpf_map_update_elem(&pending, tuple, entry, BPF_NOEXIST))
		return 1;
	known = bpf_map_lookup_elem(&pending, tuple);
	same = known && same_program(&known->owner, &entry->owner) && (owned || known->owner.cookie == entry->owner.cookie);
	/* Who goes on alone is named again when what came before the last change has been read. */
	if (!known || !still_waits(same ? known->changed_ns : known->recorded_ns, now) ||
	    (same && !(known->flags & BASTION_PENDING_AMBIGUOUS))) {
		if (bpf_map_update_elem(&pending, tuple, entry, BPF_ANY))
			bpf_map_delete_elem(&pending, tuple);
		return 1;
	}
	count(BASTION_COUNT_AMBIGUOUS);
	known->recorded_ns = entry->recorded_ns;
	if (same)
		return 1;
	known->changed_ns = entry->changed_ns;
	known->flags |= BASTION_PENDING_AMBIGUOUS;
	entry->flags |= BASTION_PENDING_AMBIGUOUS;
	bpf_map_update_elem(&pending, tuple, entry, BPF_ANY);
	return 1;
}

/* Who sends, and to whom, as the entries are asked. */
static __noinline int ask_for_packet(struct __sk_buff *skb, struct question *question)
{
	struct bastion_settings *now = current_settings();
	struct bastion_tuple tuple = {};
	struct origin origin = {};

	if (!now || !question || read_packet(skb, &tuple) < 0)
		return 0;
	find_origin(skb, &tuple, &origin);
	question->flow.cookie = origin.by == BY_KERNEL ? 0 : origin.cookie;
	question->flow.destination = tuple.destination;
	question->reply = origin.listens ? BASTION_FORM_REPLY : 0;
	if (origin.by == BY_KERNEL) {
		question->owned = 1;
		question->network_namespace = now->network_namespace;
	} else if (origin.by == BY_OWNER) {
		name_sender(question, origin.owner);
	} else if (origin.by == BY_CALLER) {
		name_datagram_sender(question, origin.owner, origin.socket);
	}
	return 1;
}

/* The packet's verdict, 0 for none. */
static __always_inline __u32 decided(struct __sk_buff *skb)
{
	struct bastion_settings *now = current_settings();
	struct question question = {};
	struct recalled found = {};

	if (!now || now->decide_in_thread || !ask_for_packet(skb, &question))
		return 0;
	if (question.flow.destination.protocol == IPPROTO_TCP ? !look_up(&question, &found) : !look_up_datagram(&question, &found))
		return 0;
	count_hit(found.hit_slot);
	return found.verdict;
}

/*
 * ip_local_out -> nf_hook(LOCAL_OUT) -> xt_bpf: a rule matches when the program returns nonzero. Stable since 4.10.
 * Is this allowed already?
 */
SEC("socket")
int xt_allow(struct __sk_buff *skb)
{
	if (decided(skb) != BASTION_ACCEPT)
		return 0;
	count(BASTION_COUNT_ALLOWED);
	return 1;
}

/* Is this refused already? */
SEC("socket")
int xt_refuse(struct __sk_buff *skb)
{
	__u32 verdict = decided(skb);

	if (verdict != BASTION_REFUSE && verdict != BASTION_DROP)
		return 0;
	count(BASTION_COUNT_REFUSED);
	return 1;
}

/* Notes the sender of what goes to the queue. 0 for what must not: answers, see xt_reply, and what is over a user's share. */
SEC("socket")
int xt_hold(struct __sk_buff *skb)
{
	struct bastion_tuple tuple = {};
	struct bastion_pending entry = {};
	struct origin origin = {};
	__u32 reply;

	if (read_packet(skb, &tuple) < 0) {
		count(BASTION_COUNT_MALFORMED);
		return 1;
	}
	find_origin(skb, &tuple, &origin);
	reply = origin.listens;
	if (origin.by == BY_KERNEL) {
		kernel_owner(&entry.owner);
	} else if (origin.by == BY_OWNER && origin.owner) {
		entry.owner = *origin.owner;
	} else if (origin.by == BY_CALLER) {
		read_datagram_sender(&entry.owner, origin.owner);
		/* A socket that was passed on may never have met a hook in these hands. */
		tell_path(&entry.owner);
		reply = answers_peer(origin.socket, origin.cookie, &tuple.destination);
	}
	entry.owner.cookie = origin.by == BY_KERNEL ? 0 : origin.cookie;
	entry.flags = reply ? BASTION_PENDING_REPLY : 0;
	return record_pending(&entry, &tuple, entry.owner.pid || origin.by == BY_KERNEL) && !reply;
}

/* An answer to a peer that spoke first, which goes on while no helper listens. */
SEC("socket")
int xt_reply(struct __sk_buff *skb)
{
	struct question question = {};

	return ask_for_packet(skb, &question) && question.reply;
}

/*
 * Run once by the helper for itself (BPF_PROG_TEST_RUN): which process it is, in the kernel's own numbers, whatever namespace
 * of process ids it lives in.
 */
SEC("socket")
int note_helper(struct __sk_buff *skb)
{
	struct task_struct *task = current_task();
	struct bastion_settings *now = current_settings();

	if (!now)
		return 0;
	now->helper_start_ns = task->group_leader->start_boottime;
	now->helper_pid = task->tgid;
	return 1;
}
