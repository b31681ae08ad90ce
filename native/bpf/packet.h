/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One packet's tuple. The addon's parser (native/src/packet.cpp) follows the same rules: a packet that one of them refuses
 * is refused by the other.
 * Source: RFC 791 3.1, RFC 8200 4, RFC 792, RFC 4443 2.1; netfilter and cgroup_skb hand over the IP header at offset 0.
 */
#ifndef BASTION_PACKET_H
#define BASTION_PACKET_H

#define MAX_EXTENSION_HEADERS 6
#define FRAGMENT_OFFSET_V4 0x1fff
#define FRAGMENT_OFFSET_V6 0xfff8

static __always_inline int has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ||
	       protocol == IPPROTO_SCTP || protocol == IPPROTO_DCCP;
}

static __always_inline int is_echo(__u8 protocol, __u8 type)
{
	return protocol == IPPROTO_ICMP ? type == 8 || type == 0 : type == 128 || type == 129;
}

/* Returns the offset of the transport header, or -1. */
static __always_inline int read_v4(struct __sk_buff *skb, struct bastion_tuple *tuple)
{
	struct iphdr header;

	if (bpf_skb_load_bytes(skb, 0, &header, sizeof(header)) || header.ihl < 5)
		return -1;
	if (header.frag_off & bpf_htons(FRAGMENT_OFFSET_V4))
		return -1;
	tuple->destination.family = 4;
	tuple->destination.protocol = header.protocol;
	__builtin_memcpy(tuple->source, &header.saddr, 4);
	__builtin_memcpy(tuple->destination.address, &header.daddr, 4);
	return header.ihl * 4;
}

static __always_inline int read_v6(struct __sk_buff *skb, struct bastion_tuple *tuple)
{
	struct ipv6hdr header;
	__u32 offset = sizeof(header);
	__u8 next, extension[4];

	if (bpf_skb_load_bytes(skb, 0, &header, sizeof(header)))
		return -1;
	tuple->destination.family = 6;
	__builtin_memcpy(tuple->source, &header.saddr, 16);
	__builtin_memcpy(tuple->destination.address, &header.daddr, 16);
	next = header.nexthdr;
	/* Linux 6.1 takes no loop that is entered from below, as the compiler likes to turn it. */
#pragma unroll
	for (int i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS && next != IPPROTO_FRAGMENT &&
		    next != IPPROTO_AH) {
			tuple->destination.protocol = next;
			return (int)offset;
		}
		if (i == MAX_EXTENSION_HEADERS || bpf_skb_load_bytes(skb, offset, extension, sizeof(extension)))
			return -1;
		if (next == IPPROTO_FRAGMENT) {
			if ((extension[2] << 8 | extension[3]) & FRAGMENT_OFFSET_V6)
				return -1;
			offset += 8;
		} else if (next == IPPROTO_AH) {
			offset += (extension[1] + 2) * 4;
		} else {
			offset += (extension[1] + 1) * 8;
		}
		next = extension[0];
	}
	return -1;
}

/*
 * The transport header's offset, or -1 for anything without a sound tuple: too short, a later fragment, too many headers.
 * Not static: the verifier then looks at it once, and not again for each way that leads to it.
 */
__noinline int read_packet(struct __sk_buff *skb, struct bastion_tuple *tuple)
{
	__u8 version, icmp[6];
	__u16 ports[2];
	int offset;

	if (!tuple)
		return -1;
	if (bpf_skb_load_bytes(skb, 0, &version, 1))
		return -1;
	if (version >> 4 == 4)
		offset = read_v4(skb, tuple);
	else if (version >> 4 == 6)
		offset = read_v6(skb, tuple);
	else
		return -1;
	if (offset < 0)
		return -1;
	if (has_ports(tuple->destination.protocol)) {
		if (bpf_skb_load_bytes(skb, offset, ports, sizeof(ports)))
			return -1;
		tuple->source_port = ports[0];
		tuple->destination.port = ports[1];
	} else if (tuple->destination.protocol == IPPROTO_ICMP || tuple->destination.protocol == IPPROTO_ICMPV6) {
		if (bpf_skb_load_bytes(skb, offset, icmp, sizeof(icmp)))
			return -1;
		tuple->destination.port = bpf_htons(icmp[0]);
		if (is_echo(tuple->destination.protocol, icmp[0]))
			__builtin_memcpy(&tuple->source_port, icmp + 4, 2);
	}
	return offset;
}

#endif
