/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which program started which: each exec makes an image, which knows the image before it, and a fork passes on the image of
 * the parent. Images are counted by who needs them, so a chain outlives the processes that it went through.
 *
 * Nothing here can refuse anything. Two copies of a program may be attached while a helper takes over: what the other one has
 * recorded is left as it is.
 */
#ifndef BASTION_LINEAGE_H
#define BASTION_LINEAGE_H

#define EXEC_DRAFT 0
#define ADOPT_DRAFT 1
/* EEXIST */
#define ALREADY_THERE 17

/* As share_of in shares.h. */
static __always_inline struct bastion_family_share *family_share_of(__u32 user)
{
	struct bastion_family_share *share = bpf_map_lookup_elem(&family_shares, &user);
	struct bastion_family_share fresh = {};

	if (share)
		return share;
	bpf_map_update_elem(&family_shares, &user, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&family_shares, &user);
}

static __always_inline int take_family(__u32 *used, __u32 most)
{
	if (*used >= most) {
		count(BASTION_COUNT_LINEAGE_LOST);
		return 0;
	}
	__sync_fetch_and_add(used, 1);
	return 1;
}

static __always_inline void key_of(struct task_struct *task, struct bastion_process_key *key)
{
	key->start_ns = task->group_leader->start_boottime;
	key->pid = task->tgid;
	key->reserved = 0;
}

/* One user less of this image; 1 ends the walk, 0 goes on with the image that it needed itself. */
static long release_step(__u32 index, struct bastion_image_key *key)
{
	struct bastion_image *image = bpf_map_lookup_elem(&images, key);
	struct bastion_image_key parent;
	struct bastion_family_share *share;
	__u32 user;

	if (!image || __sync_fetch_and_add(&image->users, -1) != 1)
		return 1;
	parent = image->parent;
	user = image->user;
	if (bpf_map_delete_elem(&images, key))
		return 1;
	share = bpf_map_lookup_elem(&family_shares, &user);
	if (share && share->images)
		__sync_fetch_and_add(&share->images, -1);
	*key = parent;
	return !parent.time_ns;
}

static __noinline int release_image(struct bastion_image_key *key)
{
	struct bastion_image_key at;

	if (!key || !key->time_ns)
		return 0;
	at = *key;
	bpf_loop(2 * BASTION_CHAIN + 1, release_step, &at, 0);
	return 0;
}

/* Only whoever uses an image itself may call this: it cannot go away meanwhile. */
static __always_inline struct bastion_image *use_image(struct bastion_image_key *key)
{
	struct bastion_image *image = key->time_ns ? bpf_map_lookup_elem(&images, key) : 0;

	if (image)
		__sync_fetch_and_add(&image->users, 1);
	return image;
}

static __always_inline void drop_process(struct bastion_process_key *key)
{
	struct bastion_process *process = bpf_map_lookup_elem(&processes, key);
	struct bastion_image_key image;

	if (!process)
		return;
	image = process->image;
	if (!bpf_map_delete_elem(&processes, key))
		release_image(&image);
}

/* 0 if there is no room, or if somebody else was first: the image is then no more used than before. */
static __always_inline int put_process(struct bastion_process_key *key, struct bastion_process *process)
{
	struct bastion_family_share *share = family_share_of(process->user);
	long result;

	if (!share) {
		count(BASTION_COUNT_LINEAGE_LOST);
		return 0;
	}
	if (!take_family(&share->processes, BASTION_USER_PROCESSES))
		return 0;
	result = bpf_map_update_elem(&processes, key, process, BPF_NOEXIST);
	if (!result)
		return 1;
	if (result != -ALREADY_THERE)
		count(BASTION_COUNT_LINEAGE_LOST);
	__sync_fetch_and_add(&share->processes, -1);
	return 0;
}

/* The record stays for a while: packets of a process that has ended may still be held. */
static __always_inline void end_process(struct bastion_process_key *key, struct bastion_process *process)
{
	struct bastion_exited_key place = {};
	struct bastion_process_key *before;
	struct bastion_family_share *share;

	if (__sync_val_compare_and_swap(&process->exited_ns, 0, bpf_ktime_get_boot_ns()))
		return;
	place.user = process->user;
	share = bpf_map_lookup_elem(&family_shares, &place.user);
	if (!share) {
		drop_process(key);
		return;
	}
	if (share->processes)
		__sync_fetch_and_add(&share->processes, -1);
	place.slot = __sync_fetch_and_add(&share->exited, 1) % BASTION_USER_EXITED;
	before = bpf_map_lookup_elem(&exited, &place);
	if (before) {
		struct bastion_process_key old = *before;

		drop_process(&old);
	}
	if (bpf_map_update_elem(&exited, &place, key, BPF_ANY))
		drop_process(key);
}

struct text_walk {
	struct bastion_image *image;
	struct dentry *dentry;
	struct mount *mount;
	struct mnt_namespace *space;
	__u32 offset;
	__u32 complete;
};

/*
 * As walk_step in owner.h, into the image. The top of a mount that was taken away while somebody stands in it is no root: names
 * below it would be taken for others.
 */
static long directory_step(__u32 index, struct text_walk *walk)
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
			walk->complete = walk->space && BPF_CORE_READ(mount, mnt_ns) == walk->space;
			return 1;
		}
		walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = outer;
		return 0;
	}
	if (dentry == parent || offset > BASTION_DIRECTORY_BYTES - NAME_BYTES)
		return 1;
	length = bpf_probe_read_kernel_str(&walk->image->directory[offset], NAME_BYTES, BPF_CORE_READ(dentry, d_name.name));
	if (length <= 0)
		return 1;
	walk->offset = offset + (__u32)length;
	walk->dentry = parent;
	return 0;
}

/* Returns 1 if the walk came to the root of this mount namespace. */
static __noinline int walk_directory(struct path *path, struct mnt_namespace *space, struct bastion_image *image)
{
	struct text_walk walk = {};

	if (!path || !image)
		return 0;
	walk.image = image;
	walk.space = space;
	walk.dentry = BPF_CORE_READ(path, dentry);
	walk.mount = (struct mount *)((char *)BPF_CORE_READ(path, mnt) - bpf_core_field_offset(struct mount, mnt));
	bpf_loop(MAX_PATH_STEPS, directory_step, &walk, 0);
	image->directory_length = walk.offset;
	return (int)walk.complete;
}

/*
 * The working directory, for what is named relative to it. Below a root directory of its own (chroot) a process names other
 * files by the same names: then there is none.
 */
static __always_inline void read_directory(struct bastion_image *image, struct task_struct *task)
{
	struct nsproxy *spaces = task->nsproxy;
	struct fs_struct *fs = task->fs;

	image->directory_length = 0;
	if (!fs || !spaces || !walk_directory(&fs->root, spaces->mnt_ns, image) || image->directory_length)
		return;
	if (walk_directory(&fs->pwd, spaces->mnt_ns, image))
		image->flags |= BASTION_IMAGE_DIRECTORY;
}

/* What execve was given, before the program can write over it. */
static __always_inline void read_arguments(struct bastion_image *image, struct mm_struct *mm)
{
	__u64 start = mm->arg_start, length = mm->arg_end - start;

	image->arguments_length = 0;
	if (length > BASTION_ARGUMENT_BYTES) {
		length = BASTION_ARGUMENT_BYTES;
		image->flags |= BASTION_IMAGE_TRUNCATED;
	}
	if (length && !bpf_probe_read_user(image->arguments, length, (void *)start))
		image->arguments_length = length;
	else
		image->flags |= BASTION_IMAGE_TRUNCATED;
}

/* A name that fills its room may be cut off, and is then left out. */
static __always_inline void read_names(struct bastion_image *image, struct linux_binprm *program)
{
	const char *filename = program->filename, *interpreter = program->interp;

	image->interpreter[0] = 0;
	if (bpf_probe_read_kernel_str(image->filename, sizeof(image->filename), filename) >= (long)sizeof(image->filename)) {
		image->filename[0] = 0;
		image->flags |= BASTION_IMAGE_TRUNCATED;
	}
	if (interpreter == filename)
		return;
	image->flags |= BASTION_IMAGE_SCRIPT;
	if (bpf_probe_read_kernel_str(image->interpreter, sizeof(image->interpreter), interpreter) >= (long)sizeof(image->interpreter)) {
		image->interpreter[0] = 0;
		image->flags |= BASTION_IMAGE_TRUNCATED;
	}
}

/* All but the text and what it follows. */
static __always_inline int start_image(struct bastion_image *image, struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	struct nsproxy *spaces = task->nsproxy;
	struct file *file = mm ? mm->exe_file : 0;

	if (!file)
		return 0;
	read_executable(file->f_inode, &image->executable);
	image->start_ns = task->group_leader->start_boottime;
	image->pid = task->tgid;
	image->mount_namespace = spaces ? spaces->mnt_ns->ns.inum : 0;
	image->users = 1;
	image->depth = 0;
	image->flags = 0;
	image->user = user_of(task);
	image->parent.time_ns = 0;
	image->parent.pid = 0;
	image->parent.reserved = 0;
	bpf_probe_read_kernel_str(image->command, sizeof(image->command), task->group_leader->comm);
	return 1;
}

struct upward {
	struct bastion_image_key key;
};

static long upward_step(__u32 index, struct upward *walk)
{
	struct bastion_image *image = bpf_map_lookup_elem(&images, &walk->key);

	if (!image || !image->parent.time_ns)
		return 1;
	walk->key = image->parent;
	return 0;
}

/*
 * A program that goes on calling exec would fill the table with what ran before. Whoever is nearest is what counts, so the far
 * end goes.
 */
static __noinline int cut_chain(struct bastion_image_key *from)
{
	struct upward walk = {};
	struct bastion_image_key rest;
	struct bastion_image *image;

	if (!from)
		return 0;
	walk.key = *from;
	bpf_loop(BASTION_CHAIN, upward_step, &walk, 0);
	image = bpf_map_lookup_elem(&images, &walk.key);
	if (!image)
		return 0;
	rest = image->parent;
	if (!rest.time_ns || __sync_val_compare_and_swap(&image->parent.time_ns, rest.time_ns, 0) != rest.time_ns)
		return 0;
	__sync_fetch_and_or(&image->flags, BASTION_IMAGE_GAP);
	release_image(&rest);
	return 0;
}

/* 0 if there is no room. */
static __always_inline int put_image(struct bastion_image_key *key, struct bastion_image *image)
{
	struct bastion_family_share *share = family_share_of(image->user);

	if (!share) {
		count(BASTION_COUNT_LINEAGE_LOST);
		return 0;
	}
	if (!take_family(&share->images, BASTION_USER_IMAGES))
		return 0;
	if (!bpf_map_update_elem(&images, key, image, BPF_NOEXIST))
		return 1;
	__sync_fetch_and_add(&share->images, -1);
	count(BASTION_COUNT_LINEAGE_LOST);
	return 0;
}

/* What the process ran becomes what ran before; its use of that image passes to the new one. */
static __always_inline void follow(struct bastion_process *process, struct bastion_image_key *key, struct bastion_image *image)
{
	struct bastion_image *before = process->image.time_ns ? bpf_map_lookup_elem(&images, &process->image) : 0;
	__u32 depth = before ? before->depth + 1 : 0;

	image->depth = depth;
	if (before)
		image->parent = process->image;
	else if (process->image.time_ns)
		image->flags |= BASTION_IMAGE_GAP;
	if (process->flags & BASTION_PROCESS_GAP)
		image->flags |= BASTION_IMAGE_GAP;
	if (!put_image(key, image)) {
		process->flags |= BASTION_PROCESS_GAP;
		return;
	}
	process->image = *key;
	process->flags = 0;
	if (depth >= 2 * BASTION_CHAIN && depth % BASTION_CHAIN == 0)
		cut_chain(key);
}

/* A process without a record was started by the kernel itself, or while there was no room. */
static __always_inline struct bastion_process *find_process(struct bastion_process_key *key, struct task_struct *task)
{
	struct bastion_process *known = bpf_map_lookup_elem(&processes, key);
	struct bastion_process fresh = {};

	if (known)
		return known;
	fresh.user = user_of(task);
	fresh.flags = task->real_parent->mm ? BASTION_PROCESS_GAP : 0;
	put_process(key, &fresh);
	return bpf_map_lookup_elem(&processes, key);
}

/*
 * kernel_clone -> trace_sched_process_fork(current, child), before the child runs. The one that forks is recorded, also where
 * CLONE_PARENT makes somebody else the parent. Stable since 3.3.
 */
SEC("tp_btf/sched_process_fork")
int on_fork(__u64 *context)
{
	struct task_struct *parent = only_read((void *)context[0]), *child = only_read((void *)context[1]);
	struct bastion_process_key key = {}, parent_key = {};
	struct bastion_process fresh = {}, *known;

	/* Threads, and threads of the kernel. */
	if (child->pid != child->tgid || !child->mm)
		return 0;
	key.start_ns = child->start_boottime;
	key.pid = child->tgid;
	if (bpf_map_lookup_elem(&processes, &key))
		return 0;
	key_of(parent, &parent_key);
	known = bpf_map_lookup_elem(&processes, &parent_key);
	fresh.user = user_of(parent);
	fresh.exec_id = child->self_exec_id;
	fresh.flags = known ? known->flags : BASTION_PROCESS_GAP;
	if (known) {
		fresh.executable = known->executable;
		fresh.image = known->image;
		if (fresh.image.time_ns && !use_image(&fresh.image)) {
			fresh.image.time_ns = 0;
			fresh.flags = BASTION_PROCESS_GAP;
		}
	}
	if (!put_process(&key, &fresh))
		release_image(&fresh.image);
	return 0;
}

/* exec_binprm -> trace_sched_process_exec, with the new program in place and before its first instruction. Stable since 3.4. */
SEC("tp_btf/sched_process_exec")
int on_exec(__u64 *context)
{
	struct task_struct *task = current_task();
	struct linux_binprm *program = (void *)context[2];
	struct bastion_process_key process_key = {};
	struct bastion_image_key key = {};
	struct bastion_process *process;
	struct bastion_image *image;
	struct mm_struct *mm = task->mm;
	__u32 draft = EXEC_DRAFT;
	__u64 exec_id = task->self_exec_id;

	key_of(task, &process_key);
	process = find_process(&process_key, task);
	if (!process || process->exec_id == exec_id)
		return 0;
	process->exec_id = exec_id;
	image = bpf_map_lookup_elem(&drafts, &draft);
	if (!image || !mm || !start_image(image, task)) {
		process->flags |= BASTION_PROCESS_GAP;
		return 0;
	}
	process->executable = image->executable;
	read_names(image, program);
	read_arguments(image, mm);
	read_directory(image, task);
	key.time_ns = bpf_ktime_get_boot_ns();
	key.pid = process_key.pid;
	follow(process, &key, image);
	tell_path_of(&image->executable, image->mount_namespace);
	return 0;
}

/* do_exit -> trace_sched_process_exit, for each thread; the last one finds none that lives. Stable since 2.6. */
SEC("tp_btf/sched_process_exit")
int on_exit(__u64 *context)
{
	struct task_struct *task = current_task();
	struct bastion_process_key key = {};
	struct bastion_process *process;

	if (task->signal->live.counter > 0)
		return 0;
	key_of(task, &key);
	process = bpf_map_lookup_elem(&processes, &key);
	if (process)
		end_process(&key, process);
	return 0;
}

static __always_inline int adopt_below(struct task_struct *task, struct bastion_process_key *key, struct bastion_process *parent)
{
	struct bastion_image_key image_key = {};
	struct bastion_process fresh = {};
	struct bastion_image *image;
	__u32 draft = ADOPT_DRAFT;

	image = bpf_map_lookup_elem(&drafts, &draft);
	if (!image || !start_image(image, task))
		return 0;
	fresh.user = user_of(task);
	fresh.exec_id = task->self_exec_id;
	fresh.flags = parent ? parent->flags : task->real_parent->mm ? BASTION_PROCESS_GAP : 0;
	if (parent)
		fresh.image = parent->image;
	if (!use_image(&fresh.image))
		fresh.image.time_ns = 0;
	fresh.executable = image->executable;
	image->flags = BASTION_IMAGE_ADOPTED;
	image->arguments_length = image->directory_length = 0;
	image->filename[0] = image->interpreter[0] = 0;
	image_key.time_ns = bpf_ktime_get_boot_ns();
	image_key.pid = key->pid;
	follow(&fresh, &image_key, image);
	if (!put_process(key, &fresh)) {
		release_image(&fresh.image);
		return 0;
	}
	/* It ended meanwhile, and nobody would take the record away. */
	parent = bpf_map_lookup_elem(&processes, key);
	if (parent && task->signal->live.counter <= 0)
		end_process(key, parent);
	return 0;
}

/* The first of those above it that have no record: where the helper is in a container, it lists none of what is outside. */
static __always_inline struct task_struct *topmost(struct task_struct *task)
{
	struct bastion_process_key key = {};
	struct task_struct *above;

	for (int i = 0; i < BASTION_CHAIN; i++) {
		above = task->real_parent;
		if (!above->mm)
			break;
		key_of(above, &key);
		if (bpf_map_lookup_elem(&processes, &key))
			break;
		task = above->group_leader;
	}
	return task;
}

/*
 * Run by the helper over all tasks, again and again until no more are taken: a process that is older than these programs
 * follows the parent that it has now.
 */
SEC("iter/task")
int adopt_process(struct bpf_iter__task *context)
{
	struct bastion_process_key key = {}, parent_key = {};
	struct bastion_settings *now = current_settings();
	struct task_struct *task = only_read(context->task);
	struct bastion_process *parent;

	if (!task || !now || task->pid != task->tgid || !task->mm || task->signal->live.counter <= 0)
		return 0;
	key_of(task, &key);
	if (bpf_map_lookup_elem(&processes, &key))
		return 0;
	key_of(task->real_parent, &parent_key);
	parent = bpf_map_lookup_elem(&processes, &parent_key);
	if (!parent && task->real_parent->mm) {
		if (!now->adopt_all)
			return 0;
		task = topmost(task);
		key_of(task, &key);
		key_of(task->real_parent, &parent_key);
		parent = bpf_map_lookup_elem(&processes, &parent_key);
	}
	return adopt_below(task, &key, parent);
}

#endif
