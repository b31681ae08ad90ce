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

/* Ring memory is private to this call: per-CPU scratch is not, where a hook can be preempted. */
static __noinline int tell_path(struct file *file, const struct bastion_owner *owner)
{
	struct bastion_path_event *event;
	struct bastion_seen_key key = {};
	__u32 one = 1;

	key.executable = owner->executable;
	key.mount_namespace = owner->mount_namespace;
	if (bpf_map_lookup_elem(&seen, &key))
		return 0;
	event = bpf_ringbuf_reserve(&executables, sizeof(*event), 0);
	if (!event) {
		count(BASTION_COUNT_RING_LOST);
		return 0;
	}
	event->executable = key.executable;
	event->mount_namespace = key.mount_namespace;
	write_path(file, event);
	bpf_ringbuf_submit(event, 0);
	bpf_map_update_elem(&seen, &key, &one, BPF_ANY);
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

static __always_inline void read_caller(struct bastion_owner *owner)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	struct inode *inode;

	/* Not the helpers of the same purpose: before 6.10 a program of netfilter has none of them. */
	owner->pid = BPF_CORE_READ(task, tgid);
	owner->uid = BPF_CORE_READ(task, cred, uid.val);
	owner->gid = BPF_CORE_READ(task, cred, gid.val);
	owner->start_ns = BPF_CORE_READ(leader, start_boottime);
	owner->mount_namespace = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	owner->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	BPF_CORE_READ_STR_INTO(&owner->command, leader, comm);
	if (!file)
		return;
	inode = BPF_CORE_READ(file, f_inode);
	owner->executable.inode = BPF_CORE_READ(inode, i_ino);
	owner->executable.ctime_sec = change_time(inode);
	owner->executable.device = BPF_CORE_READ(inode, i_sb, s_dev);
	owner->executable.generation = BPF_CORE_READ(inode, i_generation);
	tell_path(file, owner);
}

/*
 * Does this task run for the process of the record? Cheaper than reading a whole record: for each packet. The change time is
 * left out, so that a chmod of a running program does not make it another one.
 */
static __always_inline int is_caller(const struct bastion_owner *owner)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);

	return owner->pid == (__u32)BPF_CORE_READ(task, tgid) && owner->start_ns == BPF_CORE_READ(leader, start_boottime) &&
	       inode && owner->executable.inode == BPF_CORE_READ(inode, i_ino) &&
	       owner->executable.device == BPF_CORE_READ(inode, i_sb, s_dev) &&
	       owner->executable.generation == BPF_CORE_READ(inode, i_generation);
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
