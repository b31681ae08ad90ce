/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the history learns of TCP connections that the kernel decides by itself: one event at the end of a short one, and one
 * more while a longer one is open. Only those of which a packet passed the gate; loopback is not among them.
 */
#ifndef BASTION_FLOW_EVENTS_H
#define BASTION_FLOW_EVENTS_H

static __always_inline struct bastion_event_share *event_share_of(__u32 user)
{
	struct bastion_event_share *share = bpf_map_lookup_elem(&event_shares, &user);
	struct bastion_event_share fresh = {};

	if (!share) {
		bpf_map_update_elem(&event_shares, &user, &fresh, BPF_NOEXIST);
		share = bpf_map_lookup_elem(&event_shares, &user);
	}
	return share;
}

/* Room for one more event, unless the user has had his share of this second; `wake`: the reader is to look at once. */
static __always_inline struct bastion_flow_event *begin_event(__u32 user, __u32 kind, __u64 now_ns, __u64 *wake)
{
	struct bastion_event_share *share = event_share_of(user);
	struct bastion_flow_event *event = 0;
	__u64 second = now_ns / NS_PER_SECOND;

	if (share) {
		if (share->second != second) {
			share->second = second;
			share->told = 0;
		}
		if (share->told < BASTION_USER_EVENTS)
			event = bpf_ringbuf_reserve(&flow_events, sizeof(*event), 0);
	}
	if (!share || !event) {
		count(BASTION_COUNT_FLOWS_LOST);
		return 0;
	}
	__sync_fetch_and_add(&share->told, 1);
	*wake = share->told % BASTION_EVENTS_WAKE ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;
	event->kind = kind;
	event->time_ns = now_ns;
	return event;
}

static __noinline int fill_stream(struct bastion_flow_event *event, const struct bastion_socket *record, __u64 cookie)
{
	if (!event || !record)
		return 0;
	event->owner = record->owner;
	event->tuple = record->tuple;
	event->cookie = cookie;
	event->begun_ns = record->begun_ns;
	event->sent.bytes = record->sent.bytes - record->sent_before.bytes;
	event->sent.packets = record->sent.packets - record->sent_before.packets;
	event->received.bytes = record->received.bytes - record->received_before.bytes;
	event->received.packets = record->received.packets - record->received_before.packets;
	event->flags = record->inbound ? BASTION_FLOW_INBOUND : 0;
	event->generation = record->decided_generation;
	event->hit_slot = record->hit_slot;
	event->interface_index = record->interface_index;
	event->length = record->length;
	return 0;
}

/* In the gate: the connection is open for a while. */
static __noinline int tell_lasting(struct __sk_buff *skb, struct bastion_socket *record)
{
	__u64 now_ns = bpf_ktime_get_ns(), wake = 0;
	struct bastion_flow_event *event;

	if (!record)
		return 0;
	event = begin_event(record->owner.user, BASTION_FLOW_OPEN, now_ns, &wake);
	record->tell_ns = event ? 0 : now_ns + BASTION_LASTING_NS;
	if (!event)
		return 0;
	fill_stream(event, record, bpf_get_socket_cookie(skb));
	bpf_ringbuf_submit(event, wake);
	return 0;
}

/* What comes after it on the same socket is another connection. */
static __noinline int end_stream(struct bastion_socket *record, __u64 cookie)
{
	struct bastion_flow_event *event;
	__u64 wake = 0;

	if (!record)
		return 0;
	if (record->begun_ns && record->begun_cookie == cookie) {
		event = begin_event(record->owner.user, BASTION_FLOW_ENDED, bpf_ktime_get_ns(), &wake);
		if (event) {
			fill_stream(event, record, cookie);
			bpf_ringbuf_submit(event, wake);
		}
	}
	record->begun_cookie = 0;
	record->begun_ns = 0;
	record->tell_ns = 0;
	record->decided_generation = 0;
	record->hit_slot = 0;
	record->sent_before = record->sent;
	record->received_before = record->received;
	return 0;
}

/*
 * tcp_v4_destroy_sock, for IPv6 too, in whatever network namespace and control group: everything was sent and answered, or given
 * up, and the program has closed it. Not when it is closed: most of what a server sends goes out after that. Stable since 4.15.
 */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(on_tcp_end, struct sock *socket)
{
	struct bastion_socket *record = bpf_sk_storage_get(&sockets, socket, 0, 0);

	if (record && record->begun_ns)
		end_stream(record, bpf_get_socket_cookie(socket));
	return 0;
}

#endif
