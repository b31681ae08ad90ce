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

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
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

struct cred {
	kuid_t uid;
	kgid_t gid;
} RELOCATED;

struct task_struct {
	struct task_struct *group_leader;
	const struct cred *cred;
	int tgid;
	struct mm_struct *mm;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	__u64 start_boottime;
	char comm[16];
} RELOCATED;

#endif
