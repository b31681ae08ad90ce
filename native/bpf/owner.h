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
		return newest->i_ctime_sec;
	if (bpf_core_field_exists(newer->__i_ctime))
		return newer->__i_ctime.tv_sec;
	return old->i_ctime.tv_sec;
}

static __always_inline void read_executable(struct inode *inode, struct bastion_executable *executable)
{
	executable->inode = inode->i_ino;
	executable->ctime_sec = change_time(inode);
	executable->device = inode->i_sb->s_dev;
	executable->generation = inode->i_generation;
}

#define MAX_USER_NAMESPACES 33

/*
 * Whose share of the tables a task fills. In a user namespace, where users make up uids, it is the uid of whoever made the
 * outermost one. Source: include/linux/user_namespace.h; namespaces nest at most 32 deep (create_user_ns).
 */
static __always_inline __u32 user_of(struct task_struct *task)
{
	struct user_namespace *space = task->cred->user_ns;
	__u32 user = task->cred->uid.val;

	for (int i = 0; i < MAX_USER_NAMESPACES; i++) {
		if (!space || space->level <= 0)
			break;
		user = space->owner.val;
		space = space->parent;
	}
	return user;
}

static __always_inline void read_task(struct bastion_task *token)
{
	struct task_struct *task = current_task();

	token->task = (__u64)(long)task;
	token->start_ns = task->start_boottime;
	token->exec_id = task->self_exec_id;
}

static __always_inline __u32 uid_now(void)
{
	return current_task()->cred->uid.val;
}

/*
 * In a user namespace of its own any program can say that another file is its executable (prctl PR_SET_MM_MAP). What it ran by
 * exec counts, if that was recorded. The change time moves on when a package is upgraded under a program that runs.
 */
static __always_inline void distrust_executable(struct task_struct *leader, struct bastion_executable *executable)
{
	struct bastion_process_key key = {.start_ns = leader->start_boottime, .pid = leader->tgid};
	struct bastion_process *process = bpf_map_lookup_elem(&processes, &key);

	if (!process || !process->executable.inode)
		return;
	if (process->executable.inode != executable->inode || process->executable.device != executable->device ||
	    process->executable.generation != executable->generation)
		*executable = process->executable;
}

/*
 * Fills in a record without a socket: `owner` is empty. Without an executable it is a kernel's thread.
 */
static __noinline int read_caller(struct bastion_owner *owner)
{
	struct task_struct *task = current_task(), *leader = task->group_leader;
	const struct cred *cred = task->cred;
	struct mm_struct *mm = task->mm;
	struct nsproxy *spaces = task->nsproxy;
	struct file *file;

	if (!owner)
		return 0;
	/* Not the helpers of the same purpose: before 6.10 a program of netfilter has none of them. */
	owner->pid = task->tgid;
	owner->uid = cred->uid.val;
	owner->gid = cred->gid.val;
	owner->user = user_of(task);
	owner->start_ns = leader->start_boottime;
	owner->mount_namespace = spaces ? spaces->mnt_ns->ns.inum : 0;
	owner->cgroup = task->cgroups->dfl_cgrp->kn->id;
	bpf_probe_read_kernel_str(owner->command, sizeof(owner->command), leader->comm);
	file = mm ? mm->exe_file : 0;
	if (!file)
		return 0;
	read_executable(file->f_inode, &owner->executable);
	distrust_executable(leader, &owner->executable);
	return 1;
}

/* Ring memory is private to this call: per-CPU scratch is not, where a hook can be preempted. */
static __noinline int tell_path_of(const struct bastion_executable *executable, __u32 mount_namespace)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct bastion_path_event *event;
	struct bastion_seen_key key = {};
	__u32 one = 1;

	if (!executable || !executable->inode)
		return 0;
	key.executable = *executable;
	key.mount_namespace = mount_namespace;
	if (bpf_map_lookup_elem(&seen, &key))
		return 0;
	/* Whoever says that another file is his executable does not name this one for everybody. */
	if (BPF_CORE_READ(task, mm, exe_file, f_inode, i_ino) != executable->inode ||
	    BPF_CORE_READ(task, mm, exe_file, f_inode, i_sb, s_dev) != executable->device)
		return 0;
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
	return 0;
}

static __always_inline int tell_path(const struct bastion_owner *owner)
{
	return owner ? tell_path_of(&owner->executable, owner->mount_namespace) : 0;
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

#endif
