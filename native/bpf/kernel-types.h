/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few kernel structures that the owner hooks read, with only the fields that they read. Offsets are relocated at load
 * time (CO-RE) from the running kernel's own type information, so order and size here mean nothing.
 */
#ifndef BASTION_KERNEL_TYPES_H
#define BASTION_KERNEL_TYPES_H

#define RELOCATED __attribute__((preserve_access_index))

struct timespec64 {
	__s64 tv_sec;
} RELOCATED;

struct super_block {
	__u32 s_dev;
} RELOCATED;

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	__u32 i_generation;
} RELOCATED;

/* The change time has had three names: before 6.6, in 6.6 to 6.10, from 6.11 on. */
struct inode___before_6_6 {
	struct timespec64 i_ctime;
} RELOCATED;

struct inode___from_6_6 {
	struct timespec64 __i_ctime;
} RELOCATED;

struct inode___from_6_11 {
	__s64 i_ctime_sec;
} RELOCATED;

struct qstr {
	const unsigned char *name;
} RELOCATED;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
} RELOCATED;

struct vfsmount {
	struct dentry *mnt_root;
} RELOCATED;

struct mnt_namespace;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	/* None once it was taken away. */
	struct mnt_namespace *mnt_ns;
	struct vfsmount mnt;
} RELOCATED;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} RELOCATED;

struct file {
	struct path f_path;
	struct inode *f_inode;
} RELOCATED;

struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start;
	unsigned long arg_end;
} RELOCATED;

struct ns_common {
	unsigned int inum;
} RELOCATED;

struct mnt_namespace {
	struct ns_common ns;
} RELOCATED;

struct nsproxy {
	struct mnt_namespace *mnt_ns;
} RELOCATED;

struct kernfs_node {
	__u64 id;
} RELOCATED;

struct cgroup {
	struct kernfs_node *kn;
} RELOCATED;

struct css_set {
	struct cgroup *dfl_cgrp;
} RELOCATED;

typedef struct {
	__u32 val;
} RELOCATED kuid_t;

typedef struct {
	__u32 val;
} RELOCATED kgid_t;

struct user_namespace {
	struct user_namespace *parent;
	int level;
	kuid_t owner;
} RELOCATED;

struct cred {
	kuid_t uid;
	kgid_t gid;
	struct user_namespace *user_ns;
} RELOCATED;

typedef struct {
	int counter;
} RELOCATED atomic_t;

struct signal_struct {
	/* Threads that have not begun to exit. */
	atomic_t live;
} RELOCATED;

struct fs_struct {
	struct path root;
	struct path pwd;
} RELOCATED;

struct task_struct {
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	const struct cred *cred;
	int pid;
	int tgid;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct signal_struct *signal;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	__u64 start_boottime;
	__u64 self_exec_id;
	char comm[16];
} RELOCATED;

/* filename: what was to be run; interp: what is run. The same pointer unless a script or binfmt_misc led on. */
struct linux_binprm {
	const char *filename;
	const char *interp;
} RELOCATED;

struct bpf_iter__task {
	struct task_struct *task;
} RELOCATED;

typedef struct {
	__s64 counter;
} RELOCATED atomic64_t;

struct net {
	__u64 net_cookie;
} RELOCATED;

typedef struct {
	struct net *net;
} RELOCATED possible_net_t;

struct sock_common {
	unsigned char skc_state;
	__u16 skc_num;
	possible_net_t skc_net;
	atomic64_t skc_cookie;
	/* Of a connection that is being accepted. */
	struct sock *skc_listener;
} RELOCATED;

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
	__u8 sk_kern_sock : 1;
	__u8 sk_userlocks : 4;
} RELOCATED;

struct tcp_sock {
	__u8 is_mptcp : 1;
} RELOCATED;

struct inet_connection_sock {
	void *icsk_ulp_data;
} RELOCATED;

struct mptcp_subflow_context {
	struct sock *conn;
} RELOCATED;

struct bpf_sock_addr_kern {
	struct sock *sk;
} RELOCATED;

struct sk_buff {
	__u8 encapsulation : 1;
	struct sock *sk;
	unsigned long _nfct;
} RELOCATED;

struct nf_inet_addr {
	__u32 ip6[4];
} RELOCATED;

struct nf_conntrack_man_proto {
	__u16 all;
} RELOCATED;

struct nf_conntrack_destination {
	struct nf_inet_addr u3;
	struct nf_conntrack_man_proto u;
} RELOCATED;

struct nf_conntrack_tuple {
	struct nf_conntrack_destination dst;
} RELOCATED;

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
} RELOCATED;

struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
} RELOCATED;

/* Of kernels from 6.2 on: what makes `bpf_rdonly_cast` known, see include/linux/bpf.h. */
enum bpf_type_flag___from_6_2 {
	PTR_TRUSTED = 1,
};

/* kernel/bpf/helpers.c, from 6.2 on. The verifier turns the call into nothing. */
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/*
 * A task as memory that can only be read. For each pointer in a task that it trusts the verifier searches all types of the
 * kernel by name, a millisecond at a time (btf_nested_type_is_trusted in kernel/bpf/verifier.c): a fifth of the helper's start.
 */
static __always_inline struct task_struct *only_read(struct task_struct *task)
{
	if (bpf_core_enum_value_exists(enum bpf_type_flag___from_6_2, PTR_TRUSTED))
		return bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct));
	return task;
}

static __always_inline struct task_struct *current_task(void)
{
	return only_read(bpf_get_current_task_btf());
}

#endif
