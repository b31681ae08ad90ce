/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shares of one user in the tables that programs can fill, so that nobody takes them from the others. */
#ifndef BASTION_SHARES_H
#define BASTION_SHARES_H

#define NS_PER_SECOND 1000000000ULL
/* The share of what nobody can be named for. */
#define NOBODY (~0U)

/* 0 if there are too many users, which a user cannot bring about: see user_of. */
static __always_inline struct bastion_share *share_of(__u32 user)
{
	struct bastion_share *share = bpf_map_lookup_elem(&shares, &user);
	struct bastion_share fresh = {};

	if (share)
		return share;
	bpf_map_update_elem(&shares, &user, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&shares, &user);
}

/* One more, unless `used` has come to `most`. */
static __always_inline int take(__u32 *used, __u32 most)
{
	if (*used >= most) {
		count(BASTION_COUNT_OVER_BUDGET);
		return 0;
	}
	__sync_fetch_and_add(used, 1);
	return 1;
}

/* May this user note one more packet that waits? What was drained from the queue waits no longer. */
static __always_inline int take_pending(__u32 user, const struct bastion_settings *now)
{
	struct bastion_share *share = share_of(user);

	if (!share)
		return 0;
	if (share->drained_ns != now->drained_ns) {
		share->drained_ns = now->drained_ns;
		share->pending = 0;
	}
	return take(&share->pending, BASTION_USER_PENDING);
}

/* May one more peer be noted for sockets of this user? Peers can be made up by anybody on the network. */
static __always_inline int take_peer(__u32 user)
{
	struct bastion_share *share = share_of(user);
	__u64 second = bpf_ktime_get_boot_ns() / NS_PER_SECOND;

	if (!share)
		return 0;
	if (share->second != second) {
		share->second = second;
		share->peers = 0;
	}
	return take(&share->peers, BASTION_USER_PEERS);
}

/* Records the owner for xt_bpf. Over his share, a user's streams have no owner there, which costs him alone. */
static __always_inline void put_owner(const struct bastion_owner *owner)
{
	struct bastion_share *share;

	if (!bpf_map_update_elem(&owners, &owner->cookie, owner, BPF_EXIST))
		return;
	share = share_of(owner->user);
	if (!share || !take(&share->sockets, BASTION_USER_SOCKETS))
		return;
	if (bpf_map_update_elem(&owners, &owner->cookie, owner, BPF_NOEXIST))
		__sync_fetch_and_add(&share->sockets, -1);
}

static __always_inline void drop_owner(__u64 cookie)
{
	struct bastion_owner *owner = bpf_map_lookup_elem(&owners, &cookie);
	struct bastion_share *share;

	if (!owner)
		return;
	share = bpf_map_lookup_elem(&shares, &owner->user);
	if (!bpf_map_delete_elem(&owners, &cookie) && share && share->sockets)
		__sync_fetch_and_add(&share->sockets, -1);
}

#endif
