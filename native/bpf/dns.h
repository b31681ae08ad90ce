/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of DNS messages, so that addresses can be shown by the names that they were asked for by. Source: RFC 1035 4.2. */
#ifndef BASTION_DNS_H
#define BASTION_DNS_H

#define DNS_PORT 53
#define UDP_HEADER_BYTES 8
#define TCP_SEQUENCE_OFFSET 4
#define TCP_OFFSET_OFFSET 12

static __always_inline int fill_dns(struct __sk_buff *skb, struct bastion_dns_event *event, const struct bastion_owner *owner,
				    const struct bastion_tuple *tuple, __u32 offset, __u32 sequence, __u32 length, int received)
{
	event->owner = *owner;
	event->tuple = *tuple;
	event->time_ns = bpf_ktime_get_boot_ns();
	event->sequence = sequence;
	event->received = received;
	event->length = length;
	event->reserved = 0;
	return (int)bpf_skb_load_bytes(skb, offset, event->payload, length);
}

/* `transport` is the offset of the UDP or TCP header. */
static __noinline int copy_dns(struct __sk_buff *skb, const struct bastion_owner *owner, const struct bastion_tuple *tuple,
			       __u32 transport, int received)
{
	struct bastion_dns_event *event;
	__u32 sequence = 0, offset = transport + UDP_HEADER_BYTES, length, last;
	__u8 words = 0;
	int failed;

	if (!owner || !tuple)
		return 0;
	if (tuple->destination.protocol == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, transport + TCP_SEQUENCE_OFFSET, &sequence, sizeof(sequence)) ||
		    bpf_skb_load_bytes(skb, transport + TCP_OFFSET_OFFSET, &words, 1))
			return 0;
		sequence = bpf_ntohl(sequence);
		offset = transport + (words >> 4) * 4;
	}
	if (skb->len <= offset)
		return 0;
	/* Linux 6.1's verifier learns nothing from "not 0": so the last byte's index is compared, and the compiler kept out. */
	last = skb->len - offset - 1;
	asm volatile("" : "+r"(last));
	if (last >= BASTION_DNS_BYTES) {
		count(BASTION_COUNT_DNS_LOST);
		return 0;
	}
	length = last + 1;
	asm volatile("" : "+r"(length));
	/* Most messages are short: the ring then holds eight times as many. */
	if (length <= BASTION_DNS_SHORT_BYTES)
		event = bpf_ringbuf_reserve(&dns, offsetof(struct bastion_dns_event, payload) + BASTION_DNS_SHORT_BYTES, 0);
	else
		event = bpf_ringbuf_reserve(&dns, sizeof(*event), 0);
	if (!event) {
		count(BASTION_COUNT_DNS_LOST);
		return 0;
	}
	failed = fill_dns(skb, event, owner, tuple, offset, sequence, length, received);
	if (failed)
		bpf_ringbuf_discard(event, 0);
	else
		bpf_ringbuf_submit(event, 0);
	return 0;
}

#endif
