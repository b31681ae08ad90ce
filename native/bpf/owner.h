/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is calling: read from the current task, with the path of its executable told once to the addon. */
#ifndef BASTION_OWNER_H
#define BASTION_OWNER_H

#define MAX_PATH_STEPS 64
#define NAME_BYTES 256

struct walk {
	struct bastion_path_event *event;
	struct dentry *dentry;
	struct mount *mount;
	__u32 offset;
	__u32 complete;
};

/* One step from the file towards the root of its mount namespace; 1 ends the walk. */
static long walk_step(__u32 index, struct walk *walk)
{
	struct dentry *dentry = walk->dentry;
	struct mount *mount = walk->mount;
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
	struct mount *outer;
	__u32 offset = walk->offset;
	long length;

	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
		outer = BPF_CORE_READ(mount, mnt_parent);
		if (outer == mount) {
			walk->complete = 1;
			return 1;
		}
		walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = outer;
		return 0;
	}
	if (dentry == parent || offset > BASTION_PATH_BYTES - NAME_BYTES)
		return 1;
	length = bpf_probe_read_kernel_str(&walk->event->names[offset], NAME_BYTES, BPF_CORE_READ(dentry, d_name.name));
	if (length <= 0)
		return 1;
	walk->offset = offset + (__u32)length;
	walk->dentry = parent;
	return 0;
}

static __noinline int write_path(struct file *file, struct bastion_path_event *event)
{
	struct walk walk = {.event = event};

	walk.dentry = BPF_CORE_READ(file, f_path.dentry);
	walk.mount = (struct mount *)((char *)BPF_CORE_READ(file, f_path.mnt) - bpf_core_field_offset(struct mount, mnt));
	bpf_loop(MAX_PATH_STEPS, walk_step, &walk, 0);
	event->length = walk.offset;
	event->complete = walk.complete;
	return 0;
}

static __always_inline __u64 change_time(struct inode *inode)
{
	struct inode___from_6_11 *newest = (void *)inode;
	struct inode___from_6_6 *newer = (void *)inode;
	struct inode___before_6_6 *old = (void *)inode;

	if (bpf_core_field_exists(newest->i_ctime_sec))
		return BPF_CORE_READ(newest, i_ctime_sec);
	if (bpf_core_field_exists(newer->__i_ctime))
		return BPF_CORE_READ(newer, __i_ctime.tv_sec);
	return BPF_CORE_READ(old, i_ctime.tv_sec);
}

static __always_inline void read_executable(struct inode *inode, struct bastion_executable *executable)
{
	executable->inode = BPF_CORE_READ(inode, i_ino);
	executable->ctime_sec = change_time(inode);
	executable->device = BPF_CORE_READ(inode, i_sb, s_dev);
	executable->generation = BPF_CORE_READ(inode, i_generation);
}

#define MAX_USER_NAMESPACES 33

/*
 * Whose share of the tables a task fills. In a user namespace, where users make up uids, it is the uid of whoever made the
 * outermost one. Source: include/linux/user_namespace.h; namespaces nest at most 32 deep (create_user_ns).
 */
static __always_inline __u32 user_of(struct task_struct *task)
{
	struct user_namespace *space = BPF_CORE_READ(task, cred, user_ns);
	__u32 user = BPF_CORE_READ(task, cred, uid.val);

	for (int i = 0; i < MAX_USER_NAMESPACES; i++) {
		if (BPF_CORE_READ(space, level) <= 0)
			break;
		user = BPF_CORE_READ(space, owner.val);
		space = BPF_CORE_READ(space, parent);
	}
	return user;
}

static __always_inline void read_task(struct bastion_task *token)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	token->task = (__u64)(long)task;
	token->start_ns = BPF_CORE_READ(task, start_boottime);
	token->exec_id = BPF_CORE_READ(task, self_exec_id);
}

static __always_inline __u32 uid_now(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, cred, uid.val);
}

/* What is known of this thread; 0 if nothing is, or its user has changed since. */
static __always_inline struct bastion_owner *known_caller(const struct bastion_task *token)
{
	struct bastion_owner *known = bpf_map_lookup_elem(&callers, token);

	return known && known->uid == uid_now() ? known : 0;
}

/*
 * Fills in a record without a socket: `owner` is empty. Without an executable it is a kernel's thread. Not static for the
 * verifier's sake, see read_packet.
 */
__noinline int read_caller(struct bastion_owner *owner)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct bastion_owner *known;
	struct bastion_task token;
	struct inode *inode;

	if (!owner)
		return 0;
	read_task(&token);
	known = known_caller(&token);
	if (known) {
		*owner = *known;
		return 1;
	}
	/* Not the helpers of the same purpose: before 6.10 a program of netfilter has none of them. */
	owner->pid = BPF_CORE_READ(task, tgid);
	owner->uid = BPF_CORE_READ(task, cred, uid.val);
	owner->gid = BPF_CORE_READ(task, cred, gid.val);
	owner->user = user_of(task);
	owner->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	owner->mount_namespace = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	owner->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	BPF_CORE_READ_STR_INTO(&owner->command, task, group_leader, comm);
	inode = BPF_CORE_READ(task, mm, exe_file, f_inode);
	if (!inode)
		return 0;
	read_executable(inode, &owner->executable);
	bpf_map_update_elem(&callers, &token, owner, BPF_ANY);
	return 1;
}

/* Ring memory is private to this call: per-CPU scratch is not, where a hook can be preempted. */
static __noinline int tell_path(const struct bastion_owner *owner)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct bastion_path_event *event;
	struct bastion_seen_key key = {};
	__u32 one = 1;

	if (!owner)
		return 0;
	key.executable = owner->executable;
	key.mount_namespace = owner->mount_namespace;
	if (bpf_map_lookup_elem(&seen, &key))
		return 1;
	event = bpf_ringbuf_reserve(&executables, sizeof(*event), 0);
	if (!event) {
		count(BASTION_COUNT_RING_LOST);
		return 0;
	}
	event->executable = key.executable;
	event->mount_namespace = key.mount_namespace;
	write_path(BPF_CORE_READ(task, mm, exe_file), event);
	bpf_ringbuf_submit(event, 0);
	bpf_map_update_elem(&seen, &key, &one, BPF_ANY);
	return 1;
}

/* Has the helper been told where this thread's executable lies? */
static __always_inline void tell_caller(struct bastion_owner *owner)
{
	struct bastion_settings *now = current_settings();
	struct bastion_owner *known;
	struct bastion_task token;

	if (!now || !owner->executable.inode || owner->telling == now->telling || !tell_path(owner))
		return;
	owner->telling = now->telling;
	read_task(&token);
	known = bpf_map_lookup_elem(&callers, &token);
	if (known)
		known->telling = now->telling;
}

static __always_inline int same_executable(const struct bastion_executable *a, const struct bastion_executable *b)
{
	return a->inode == b->inode && a->ctime_sec == b->ctime_sec && a->device == b->device &&
	       a->generation == b->generation;
}

/* The same program of the same user: all that most rules can tell apart. */
static __always_inline int same_program(const struct bastion_owner *a, const struct bastion_owner *b)
{
	return a->uid == b->uid && a->network_namespace == b->network_namespace && !a->pid == !b->pid &&
	       same_executable(&a->executable, &b->executable);
}

static __always_inline int same_process(const struct bastion_owner *a, const struct bastion_owner *b)
{
	return a->pid == b->pid && a->start_ns == b->start_ns && same_program(a, b);
}

#endif
