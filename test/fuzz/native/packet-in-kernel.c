/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The BPF programs' reader of packets, as it is, with the kernel's one function that it calls. */
#include <stddef.h>
#include <string.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>

#include "../../../native/bpf/wire.h"

#define __noinline __attribute__((noinline))

static const __u8 *packet;
static size_t packet_size;

/* Source: net/core/filter.c, bpf_skb_load_bytes. */
static long bpf_skb_load_bytes(const void *skb, __u32 offset, void *to, __u32 length)
{
	(void)skb;
	if (offset > packet_size || length > packet_size - offset) {
		memset(to, 0, length);
		return -14;
	}
	memcpy(to, packet + offset, length);
	return 0;
}

#include "../../../native/bpf/packet.h"

int readPacketInKernel(const __u8 *bytes, size_t size, struct bastion_tuple *tuple)
{
	struct __sk_buff skb = { .len = (__u32)size };

	packet = bytes;
	packet_size = size;
	return read_packet(&skb, tuple);
}
