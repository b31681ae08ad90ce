/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate: what netfilter held, or should have held, is judged once more by its socket, and counted. It stands where nobody's
 * netfilter rules reach, so a flushed ruleset, a port that is used again and a flow that was denied meanwhile all end here.
 */
#ifndef BASTION_GATE_H
#define BASTION_GATE_H

#define GATE_PASS 1
#define GATE_DROP 0
#define REPORT_EVERY_NS 100000000ULL
/* What is counted for a socket goes to `traffic` after so much, and at once when the socket is closed. */
#define FLUSH_BYTES (1 << 16)
#define FLUSH_PACKETS 32
/* ff02::1:2. Source: RFC 8415 section 7.1. */
#define ALL_SERVERS_HIGH bpf_cpu_to_be64(0xff02000000000000ULL)
#define ALL_SERVERS_LOW bpf_cpu_to_be64(0x0000000000010002ULL)
/* Source: include/linux/socket.h. */
#define FAMILY_V4 2
#define FAMILY_V6 10
/* Source: include/uapi/linux/netfilter/nf_conntrack_common.h IPS_DST_NAT. */
#define CONNTRACK_DST_NAT (1 << 5)
#define CONNTRACK_POINTER (~7UL)
/* Source: include/uapi/linux/if_ether.h. */
#define ETHERTYPE_V4 0x0800
#define PROTOCOL_OFFSET_V4 9
#define TCP_FLAGS_OFFSET 12
#define TCP_FLAG_RST 4

/* Two at a time add no more than there is: what one has counted too much, the other takes off again. */
static __always_inline void add_rest(struct bastion_amount *total, const struct bastion_amount *amount, struct bastion_amount *added)
{
	__u64 bytes = amount->bytes, packets = amount->packets;

	__sync_fetch_and_add(&total->bytes, bytes - __sync_lock_test_and_set(&added->bytes, bytes));
	__sync_fetch_and_add(&total->packets, packets - __sync_lock_test_and_set(&added->packets, packets));
}

static __noinline int flush_amounts(struct bastion_socket *record)
{
	struct bastion_traffic_key key = {};
	struct bastion_traffic fresh = {};
	struct bastion_traffic *total;

	if (!record)
		return 0;
	key.executable = record->owner.executable;
	key.uid = record->owner.uid;
	total = bpf_map_lookup_elem(&traffic, &key);
	if (!total) {
		bpf_map_update_elem(&traffic, &key, &fresh, BPF_NOEXIST);
		total = bpf_map_lookup_elem(&traffic, &key);
	}
	if (!total)
		return 0;
	add_rest(&total->sent, &record->sent, &record->sent_added);
	add_rest(&total->received, &record->received, &record->received_added);
	return 0;
}

static __always_inline void account(struct bastion_socket *record, struct bastion_amount *amount, const struct bastion_amount *added,
				    __u32 length)
{
	__sync_fetch_and_add(&amount->bytes, length);
	__sync_fetch_and_add(&amount->packets, 1);
	if (record->released || amount->bytes - added->bytes >= FLUSH_BYTES || amount->packets - added->packets >= FLUSH_PACKETS)
		flush_amounts(record);
}

/* The part of a record that decides; the rest, which is for people, would take too much room on the stack. */
static __always_inline void caller_owner(struct bastion_owner *owner, const struct question *question)
{
	owner->start_ns = question->flow.start_ns;
	owner->executable = question->flow.executable;
	owner->pid = question->flow.pid;
	owner->uid = question->uid;
	owner->user = question->uid;
	owner->network_namespace = question->network_namespace;
}

/* Tells the helper, at most ten times a second for one socket. The destination is what was asked, before NAT. */
static __noinline int report(struct __sk_buff *skb, struct bastion_socket *record, const struct question *question, __u32 why)
{
	struct bastion_report *event;
	__u64 now_ns = bpf_ktime_get_boot_ns();

	if (!question)
		return 0;
	if (record) {
		if (now_ns - record->reported_ns < REPORT_EVERY_NS)
			return 0;
		record->reported_ns = now_ns;
	} else if (!take_peer(NOBODY)) {
		return 0;
	}
	event = bpf_ringbuf_reserve(&reports, sizeof(*event), 0);
	if (!event) {
		count(BASTION_COUNT_GATE_LOST);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	if (record && record->owner.pid == question->flow.pid && record->owner.start_ns == question->flow.start_ns)
		event->owner = record->owner;
	else if (question->owned && question->flow.pid)
		caller_owner(&event->owner, question);
	else if (question->owned)
		kernel_owner(&event->owner);
	event->owner.cookie = question->flow.cookie;
	read_packet(skb, &event->tuple);
	event->tuple.destination = question->flow.destination;
	event->cookie = bpf_get_socket_cookie(skb);
	event->time_ns = now_ns;
	event->why = why;
	event->flags = question->reply ? BASTION_PENDING_REPLY : 0;
	event->interface_index = skb->ifindex;
	event->length = skb->len;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline int is_away(const struct bastion_settings *now)
{
	return bpf_ktime_get_ns() - now->turned_ns > BASTION_AWAY_NS;
}

/* A reset that carries nothing lets a flow that was ended close at its peer too. */
static __noinline int is_bare_reset(struct __sk_buff *skb)
{
	struct bastion_tuple tuple = {};
	int transport = read_packet(skb, &tuple);
	__u8 header[2];

	if (transport < 0 || bpf_skb_load_bytes(skb, transport + TCP_FLAGS_OFFSET, header, sizeof(header)))
		return 0;
	return (header[1] & TCP_FLAG_RST) && skb->len == (__u32)transport + (header[0] >> 4) * 4;
}

/* Where the program wanted to go, if netfilter has rewritten the destination since the packet was decided. */
static __noinline int original_destination(struct __sk_buff *skb, struct bastion_destination *destination)
{
	struct nf_conn *connection;

	if (!destination || !bpf_core_type_exists(struct nf_conn))
		return 0;
	connection = (struct nf_conn *)(BPF_CORE_READ((struct sk_buff *)skb, _nfct) & CONNTRACK_POINTER);
	if (!connection || !(BPF_CORE_READ(connection, status) & CONNTRACK_DST_NAT))
		return 0;
	BPF_CORE_READ_INTO(&destination->port, connection, tuplehash[0].tuple.dst.u.all);
	BPF_CORE_READ_INTO(&destination->address, connection, tuplehash[0].tuple.dst.u3.ip6);
	return 1;
}

/*
 * IPv4 options or an IPv6 extension header: a source route, which a program may set on an open connection too, sends the packet
 * to another place than its socket's. Or a packet of IPsec, which the kernel made of the socket's own.
 */
static __always_inline int has_detour(struct __sk_buff *skb)
{
	__u8 header[PROTOCOL_OFFSET_V4 + 1], next;

	if (skb->protocol == bpf_htons(ETHERTYPE_V4))
		return bpf_skb_load_bytes(skb, 0, header, sizeof(header)) || (header[0] & 15) != 5 ||
		       header[PROTOCOL_OFFSET_V4] != IPPROTO_TCP;
	return bpf_skb_load_bytes(skb, offsetof(struct ipv6hdr, nexthdr), &next, 1) || next != IPPROTO_TCP;
}

/*
 * Can a packet on loopback be one whose source is not this machine's? Binding to such an address takes no privilege for IPv6
 * (IPV6_FREEBIND), and the kernel's own error would carry the packet out to it. Loopback's addresses, and a source that is the
 * destination, are ours for certain. Streams get an answer without content.
 */
static __noinline int has_doubtful_source(struct __sk_buff *skb)
{
	__u32 v4[2];
	__u64 v6[4];

	if (skb->protocol == bpf_htons(ETHERTYPE_V4)) {
		if (bpf_skb_load_bytes(skb, offsetof(struct iphdr, saddr), v4, sizeof(v4)))
			return 1;
		return (bpf_ntohl(v4[0]) >> 24) != 127 && v4[0] != v4[1];
	}
	if (bpf_skb_load_bytes(skb, offsetof(struct ipv6hdr, saddr), v6, sizeof(v6)))
		return 1;
	return (v6[0] || v6[1] != bpf_cpu_to_be64(1)) && (v6[0] != v6[2] || v6[1] != v6[3]);
}

/* The destination of a stream is its socket's: packets carry what NAT made of it. */
static __always_inline void stream_destination(struct bpf_sock *socket, struct bastion_destination *destination)
{
	__u32 words[4] = {socket->dst_ip6[0], socket->dst_ip6[1], socket->dst_ip6[2], socket->dst_ip6[3]};
	__u32 v4 = socket->dst_ip4;
	int mapped = socket->family == FAMILY_V6 && !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);

	destination->protocol = IPPROTO_TCP;
	destination->port = socket->dst_port;
	__builtin_memset(destination->address, 0, sizeof(destination->address));
	if (socket->family == FAMILY_V4 || mapped) {
		destination->family = 4;
		__builtin_memcpy(destination->address, mapped ? &words[3] : &v4, 4);
	} else {
		destination->family = 6;
		__builtin_memcpy(destination->address, words, 16);
	}
}

static __always_inline int is_stream(struct bpf_sock *socket)
{
	return socket->type == SOCKET_STREAM && (socket->protocol == IPPROTO_TCP || socket->protocol == PROTOCOL_MPTCP);
}

/* What nobody decided: does something let it pass? */
static __always_inline int passes_undecided(const struct bastion_settings *now, __u32 reply)
{
	if (now->gate & BASTION_GATE_UNDECIDED)
		return 1;
	/* Servers go on answering while the helper is away; what is known to be denied does not come here. */
	return (reply || (now->gate & BASTION_GATE_WHEN_AWAY)) && is_away(now);
}

static __always_inline int is_near_v4(const __u8 *address)
{
	__u32 all;

	__builtin_memcpy(&all, address, sizeof(all));
	return all == ~0U || address[0] == 10 || (address[0] == 172 && (address[1] & 0xf0) == 16) ||
	       (address[0] == 192 && address[1] == 168) || (address[0] == 169 && address[1] == 254) ||
	       (address[0] == 100 && (address[1] & 0xc0) == 64);
}

/*
 * The built-in exceptions of netfilter's chain that a process's socket can send: DHCP to the link or to private addresses,
 * neighbour discovery that cannot leave the link. helper/adapters/netfilter/rules.ts has their reasons.
 */
static __noinline int keeps_link(struct __sk_buff *skb)
{
	struct bastion_tuple tuple = {};
	const __u8 *to = tuple.destination.address;
	__u16 from_port, to_port;
	__u8 hops = 0;

	if (read_packet(skb, &tuple) < 0)
		return 0;
	from_port = bpf_ntohs(tuple.source_port);
	to_port = bpf_ntohs(tuple.destination.port);
	if (tuple.destination.protocol == IPPROTO_UDP && tuple.destination.family == 4)
		return from_port == 68 && to_port == 67 && is_near_v4(to);
	if (tuple.destination.protocol == IPPROTO_UDP) {
		__u64 high, low;

		__builtin_memcpy(&high, to, 8);
		__builtin_memcpy(&low, to + 8, 8);
		return from_port == 546 && to_port == 547 &&
		       ((to[0] == 0xfe && (to[1] & 0xc0) == 0x80) || (high == ALL_SERVERS_HIGH && low == ALL_SERVERS_LOW));
	}
	if (tuple.destination.protocol != IPPROTO_ICMPV6 || tuple.destination.family != 6 || to_port < 133 || to_port > 136)
		return 0;
	return !bpf_skb_load_bytes(skb, offsetof(struct ipv6hdr, hop_limit), &hops, 1) && hops == 255 && to[0] == 0xff && to[1] == 2;
}

/* ANSWER: of a listening socket, or a packet that goes another way than its stream: nothing is kept. */
enum subject { STREAM, ANSWER, DATAGRAM };

/* Judges a packet by the entries. A stream's permission is kept in its record, a listener's is that of one peer. */
__noinline int judge(struct __sk_buff *skb, struct bastion_socket *record, struct question *question, enum subject subject)
{
	struct bastion_settings *now = current_settings();
	struct recalled found = {};
	__u32 generation;
	int known;

	if (!now || !question)
		return GATE_DROP;
	/* As it was before: a change meanwhile makes what is kept worthless. */
	generation = *(volatile __u32 *)&now->generation;
	known = subject == DATAGRAM ? look_up_datagram(question, &found) : look_up(question, &found);
	if (!known && original_destination(skb, &question->flow.destination))
		known = look_up(question, &found);
	if (known && found.verdict == BASTION_ACCEPT) {
		if (record && subject == STREAM) {
			record->until_ns = found.until_ns;
			record->hit_slot = found.hit_slot;
			record->decided_generation = generation;
			record->allowed_cookie = bpf_get_socket_cookie(skb);
			record->generation = generation;
		}
		return GATE_PASS;
	}
	if (subject == STREAM && is_bare_reset(skb))
		return GATE_PASS;
	if (known) {
		count(BASTION_COUNT_GATE_REFUSED);
		if (found.verdict == BASTION_REFUSE)
			report(skb, record, question, BASTION_REPORT_REFUSED);
		return GATE_DROP;
	}
	if (passes_undecided(now, question->reply) || (subject == DATAGRAM && keeps_link(skb)))
		return GATE_PASS;
	count(BASTION_COUNT_GATE_UNDECIDED);
	report(skb, record, question, BASTION_REPORT_UNDECIDED);
	return GATE_DROP;
}

static __always_inline int ask_for(struct __sk_buff *skb, __u64 cookie, struct question *question)
{
	struct bastion_tuple tuple = {};

	if (read_packet(skb, &tuple) < 0)
		return 0;
	question->flow.cookie = cookie;
	question->flow.destination = tuple.destination;
	return 1;
}

/* The same packet as the kernel's own. */
static __always_inline void name_kernel(struct question *question, const struct bastion_settings *now)
{
	struct bastion_destination destination = question->flow.destination;

	__builtin_memset(question, 0, sizeof(*question));
	question->flow.destination = destination;
	question->owned = 1;
	question->network_namespace = now->network_namespace;
}

/* A kernel's socket: what it answers with has no port of its own to be decided by, the rest is decided as the kernel's. */
static __noinline int judge_kernel(struct __sk_buff *skb, struct bpf_sock *socket)
{
	struct bastion_settings *now = current_settings();
	struct question question = {};

	if (!now || !socket || socket->type == SOCKET_RAW)
		return GATE_PASS;
	if (!ask_for(skb, 0, &question))
		return GATE_DROP;
	name_kernel(&question, now);
	return judge(skb, 0, &question, DATAGRAM);
}

/*
 * The first packet of a connection passes. An accepted one has a copy of its listener's amounts, which are marked as such; what
 * of them the listener has still to add to `traffic` is his.
 */
static __noinline int begin_stream(struct __sk_buff *skb, struct bpf_sock *socket, struct bastion_socket *record, __u32 inbound)
{
	struct bastion_settings *now = current_settings();
	struct bastion_tuple *tuple;

	if (!now || !socket || !record)
		return 0;
	tuple = &record->tuple;
	record->begun_cookie = bpf_get_socket_cookie(skb);
	record->begun_ns = now->tell_flows ? bpf_ktime_get_coarse_ns() : 0;
	record->tell_ns = record->begun_ns ? record->begun_ns + BASTION_LASTING_NS : 0;
	record->inbound = !!inbound;
	record->interface_index = skb->ifindex;
	record->length = skb->len;
	if (inbound) {
		record->sent_added = record->sent_before;
		record->received_added = record->received_before;
	}
	stream_destination(socket, &tuple->destination);
	__builtin_memset(tuple->source, 0, sizeof(tuple->source));
	if (tuple->destination.family == 4) {
		__u32 v4 = socket->src_ip4;

		__builtin_memcpy(tuple->source, &v4, sizeof(v4));
	} else {
		__u32 words[4] = {socket->src_ip6[0], socket->src_ip6[1], socket->src_ip6[2], socket->src_ip6[3]};

		__builtin_memcpy(tuple->source, words, sizeof(words));
	}
	tuple->source_port = bpf_htons(socket->src_port);
	tuple->reserved = 0;
	return 0;
}

static __noinline int judge_stream(struct __sk_buff *skb, struct bpf_sock *socket, struct bastion_socket *record)
{
	struct bastion_settings *now = current_settings();
	struct question question = {};
	struct bastion_tuple tuple = {};
	enum subject subject;
	int verdict;

	if (!now || !socket || !record)
		return GATE_DROP;
	subject = socket->state == STATE_LISTEN ? ANSWER : STREAM;
	name_sender(&question, &record->owner);
	question.flow.cookie = record->owner.cookie;
	if (subject == ANSWER || (record->owner.flags & BASTION_OWNER_INBOUND) ||
	    bpf_get_socket_cookie(skb) != question.flow.cookie)
		question.reply = BASTION_FORM_REPLY;
	if (subject == STREAM && !has_detour(skb)) {
		stream_destination(socket, &question.flow.destination);
	} else {
		subject = ANSWER;
		record->generation = 0;
		if (read_packet(skb, &tuple) < 0)
			return GATE_DROP;
		question.flow.destination = tuple.destination;
		if (tuple.destination.protocol != IPPROTO_TCP) {
			name_kernel(&question, now);
			record = 0;
		}
	}
	verdict = judge(skb, record, &question, subject);
	if (verdict == GATE_PASS && subject == STREAM && record && record->begun_cookie != bpf_get_socket_cookie(skb))
		begin_stream(skb, socket, record, question.reply);
	return verdict;
}

/* What the helper's threads put back on its way was decided, whoever sent it; their own sockets are like everybody's. */
static __always_inline int is_put_back(const struct bastion_settings *now, const struct bastion_owner *owner)
{
	struct task_struct *task = current_task();

	if (!now->helper_pid || (__u32)task->tgid != now->helper_pid)
		return 0;
	if (task->group_leader->start_boottime != now->helper_start_ns)
		return 0;
	return owner->pid != now->helper_pid || owner->start_ns != now->helper_start_ns;
}

static __noinline int judge_datagram(struct __sk_buff *skb, struct bpf_sock *socket, struct bastion_socket *record)
{
	struct bastion_settings *now = current_settings();
	struct question question = {};

	if (!now || !socket || !record)
		return GATE_DROP;
	if (is_put_back(now, &record->owner))
		return skb->mark & now->refuse_mark ? GATE_DROP : GATE_PASS;
	if (!ask_for(skb, record->owner.cookie, &question))
		return GATE_DROP;
	if (socket->type == SOCKET_DATAGRAM && socket->protocol != question.flow.destination.protocol) {
		name_kernel(&question, now);
		record = 0;
	} else {
		name_datagram_sender(&question, &record->owner, kernel_socket(skb));
	}
	return judge(skb, record, &question, DATAGRAM);
}

/* SCTP, DCCP: sent from any task, like a stream, and judged by the packet, like a datagram. */
static __noinline int judge_other(struct __sk_buff *skb, struct bastion_socket *record)
{
	struct question question = {};

	if (!record || !ask_for(skb, record->owner.cookie, &question))
		return GATE_DROP;
	name_sender(&question, &record->owner);
	return judge(skb, record, &question, DATAGRAM);
}

static __always_inline int is_foreign(struct sock *socket, const struct bastion_settings *now)
{
	return BPF_CORE_READ(socket, __sk_common.skc_net.net, net_cookie) != now->network_namespace;
}

/*
 * The record of a socket that has none: it is older than the hooks, or belongs to an MPTCP connection. One for datagrams needs
 * no owner, because each packet tells who sends it.
 */
static __always_inline struct bastion_socket *adopt(struct __sk_buff *skb, struct bpf_sock *socket,
						    const struct bastion_settings *now)
{
	struct sock *raw = kernel_socket(skb);
	struct bastion_owner *owner = owner_of(raw);
	int datagram = socket->type == SOCKET_DATAGRAM || socket->type == SOCKET_RAW;
	struct bastion_socket *record;

	if (!owner && (!datagram || is_kernel_socket(raw) || is_foreign(raw, now)))
		return 0;
	record = bpf_sk_storage_get(&sockets, socket, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!record)
		return 0;
	if (owner) {
		record->owner = *owner;
		record->owner.cookie = bpf_get_socket_cookie(skb);
	} else {
		record->owner.cookie = bpf_get_socket_cookie(skb);
		record->owner.network_namespace = now->network_namespace;
		record->owner.socket_type = socket->type;
		record->owner.flags = BASTION_OWNER_ADOPTED;
	}
	return record;
}

/* A socket without a record: the kernel's, another network namespace's, or nobody's. */
static __noinline int judge_unknown(struct __sk_buff *skb)
{
	struct bastion_settings *now = current_settings();
	struct question question = {};

	if (!now)
		return GATE_DROP;
	if ((now->gate & BASTION_GATE_UNTRACKED) || passes_undecided(now, 0))
		return GATE_PASS;
	count(BASTION_COUNT_GATE_UNTRACKED);
	if (ask_for(skb, bpf_get_socket_cookie(skb), &question))
		report(skb, 0, &question, BASTION_REPORT_UNTRACKED);
	return GATE_DROP;
}

/* Everything but the one case that costs next to nothing. */
static __always_inline int judge_packet(struct __sk_buff *skb, struct bpf_sock *socket, struct bastion_socket *record,
					const struct bastion_settings *now)
{
	if (!record) {
		if (is_foreign(kernel_socket(skb), now))
			return GATE_PASS;
		return is_kernel_socket(kernel_socket(skb)) ? judge_kernel(skb, socket) : judge_unknown(skb);
	}
	if (record->owner.network_namespace != now->network_namespace)
		return GATE_PASS;
	if (is_stream(socket))
		return judge_stream(skb, socket, record);
	if (socket->type == SOCKET_DATAGRAM || socket->type == SOCKET_RAW)
		return judge_datagram(skb, socket, record);
	return judge_other(skb, record);
}

#endif
