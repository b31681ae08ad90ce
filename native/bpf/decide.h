/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who sends a packet, and what is remembered about that: the same for netfilter and for the gate. */
#ifndef BASTION_DECIDE_H
#define BASTION_DECIDE_H

/* Numbers of the kernel's ABI. Source: include/linux/net.h enum sock_type, include/net/tcp_states.h, uapi/linux/in.h. */
#define SOCKET_STREAM 1
#define SOCKET_DATAGRAM 2
#define SOCKET_RAW 3
#define STATE_LISTEN 10
#define STATE_NEW_SYN_RECV 12
#define PROTOCOL_MPTCP 262
#define PORT_LOCK 8

/* What the entries are asked by: a sender and a destination, without pointers, as a function of its own needs it. */
struct question {
	/* `cookie` is that of the owner's record: an accepted connection has its listener's. */
	struct bastion_flow_key flow;
	__u64 network_namespace;
	__u32 uid;
	/* 0: nobody can be named. */
	__u32 owned;
	/* BASTION_FORM_REPLY if it answers a peer that spoke first, else 0. */
	__u32 reply;
	__u32 reserved;
};

struct recalled {
	__u32 verdict;
	__u32 hit_slot;
	__u64 until_ns;
};

/* For fields that the checked structures do not have: a context is, as far as reading goes, the kernel's own. */
static __always_inline struct sock *kernel_socket(struct __sk_buff *skb)
{
	return BPF_CORE_READ((struct sk_buff *)skb, sk);
}

/* Of a full socket. */
static __always_inline int is_subflow(struct sock *socket)
{
	struct tcp_sock *tcp = (void *)socket;

	return bpf_core_field_exists(tcp->is_mptcp) && BPF_CORE_READ(socket, sk_protocol) == IPPROTO_TCP &&
	       BPF_CORE_READ_BITFIELD_PROBED(tcp, is_mptcp);
}

/* Cookie of the MPTCP socket behind a TCP socket of the kernel's making, 0 for any other full socket. */
static __always_inline __u64 mptcp_cookie(struct sock *socket)
{
	struct mptcp_subflow_context *subflow;

	if (!is_subflow(socket))
		return 0;
	subflow = BPF_CORE_READ((struct inet_connection_sock *)socket, icsk_ulp_data);
	return subflow ? (__u64)BPF_CORE_READ(subflow, conn, __sk_common.skc_cookie.counter) : 0;
}

/* A subflow of MPTCP is made by the kernel, but what it carries is its program's. */
static __always_inline int is_kernel_socket(struct sock *socket)
{
	return BPF_CORE_READ_BITFIELD_PROBED(socket, sk_kern_sock) && !is_subflow(socket);
}

/* Of a full socket; one that the kernel made for an MPTCP connection is its connector's, whose record has another cookie. */
static __always_inline struct bastion_owner *owner_of(struct sock *socket)
{
	__u64 cookie = BPF_CORE_READ(socket, __sk_common.skc_cookie.counter);
	struct bastion_owner *owner = bpf_map_lookup_elem(&owners, &cookie);

	if (owner)
		return owner;
	cookie = mptcp_cookie(socket);
	return cookie ? bpf_map_lookup_elem(&owners, &cookie) : 0;
}

static __always_inline int recall(const struct bastion_verdict *verdict, const struct bastion_settings *now,
				  struct recalled *found)
{
	/* Entries of the next generation are written before it begins. */
	if (!verdict || (verdict->generation != now->generation && verdict->generation != now->generation + 1))
		return 0;
	if (verdict->until_ns && bpf_ktime_get_boot_ns() >= verdict->until_ns)
		return 0;
	found->verdict = verdict->verdict;
	found->hit_slot = verdict->hit_slot;
	found->until_ns = verdict->until_ns;
	return 1;
}

/* An owner that is but likely gives no name, only the socket. */
static __always_inline void name_sender(struct question *question, const struct bastion_owner *owner)
{
	question->owned = owner && !(owner->flags & BASTION_OWNER_ADOPTED);
	if (!question->owned)
		return;
	question->flow.start_ns = owner->start_ns;
	question->flow.executable = owner->executable;
	question->flow.pid = owner->pid;
	question->uid = owner->uid;
	question->network_namespace = owner->network_namespace;
}

/* Linux 6.1 takes no key of a map from an argument of a function that is not static. */
static __always_inline int look_up_flow(const struct question *question, const struct bastion_settings *now, struct recalled *found)
{
	struct bastion_flow_key flow = question->flow;

	return flow.cookie && recall(bpf_map_lookup_elem(&flows, &flow), now, found);
}

static __always_inline int look_up_program(const struct question *question, const struct bastion_settings *now,
					   struct recalled *found)
{
	struct bastion_verdict_key program = {};

	program.executable = question->flow.executable;
	program.network_namespace = question->network_namespace;
	program.uid = question->uid;
	program.form = BASTION_FORM_PROGRAM | question->reply;
	if ((now->forms & 1 << BASTION_FORM_PROGRAM) && recall(bpf_map_lookup_elem(&verdicts, &program), now, found))
		return 1;
	program.form = BASTION_FORM_ANY_ADDRESS | question->reply;
	program.destination.port = question->flow.destination.port;
	program.destination.protocol = question->flow.destination.protocol;
	if ((now->forms & 1 << BASTION_FORM_ANY_ADDRESS) && recall(bpf_map_lookup_elem(&verdicts, &program), now, found))
		return 1;
	program.form = BASTION_FORM_EXACT | question->reply;
	program.destination = question->flow.destination;
	if ((now->forms & 1 << BASTION_FORM_EXACT) && recall(bpf_map_lookup_elem(&verdicts, &program), now, found))
		return 1;
	program.form = BASTION_FORM_ANY_PORT | question->reply;
	program.destination.port = 0;
	program.destination.protocol = 0;
	return (now->forms & 1 << BASTION_FORM_ANY_PORT) && recall(bpf_map_lookup_elem(&verdicts, &program), now, found);
}

/*
 * What is remembered for the program, else for the socket: neither contradicts the other, since each says what the rules
 * would. Not static for the verifier's sake, see read_packet; the two keys share their place on the stack.
 */
__noinline int look_up(const struct question *question, struct recalled *found)
{
	struct bastion_settings *now = current_settings();

	if (!now || !question || !found)
		return 0;
	if (question->owned) {
		if (look_up_program(question, now, found))
			return 1;
		if (!(now->forms & BASTION_HAS_FLOWS))
			return 0;
	}
	return look_up_flow(question, now, found);
}

/*
 * The last datagram that was allowed on this CPU: the next one is mostly its like, in netfilter, at the gate and after that. A
 * program can be interrupted by another on its CPU, so a writer that finds one at work lets be, and a reader that was
 * overtaken has found nothing.
 */
struct memo {
	__u32 busy;
	__u32 sequence;
	__u32 generation;
	__u32 hit_slot;
	struct question question;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct memo);
} memos SEC(".maps");

static __always_inline int same_question(const struct question *a, const struct question *b)
{
	const __u64 *left = (const void *)a, *right = (const void *)b;
	__u64 difference = 0;

	for (unsigned int i = 0; i < sizeof(*a) / sizeof(*left); i++)
		difference |= left[i] ^ right[i];
	return !difference;
}

static __always_inline int was_allowed(const struct question *question, struct recalled *found)
{
	struct bastion_settings *now = current_settings();
	__u32 zero = 0, sequence;
	struct memo *memo = bpf_map_lookup_elem(&memos, &zero);

	if (!now || !memo)
		return 0;
	sequence = *(volatile __u32 *)&memo->sequence;
	if (*(volatile __u32 *)&memo->busy || memo->generation != now->generation || !same_question(question, &memo->question))
		return 0;
	found->hit_slot = memo->hit_slot;
	if (*(volatile __u32 *)&memo->busy || *(volatile __u32 *)&memo->sequence != sequence)
		return 0;
	found->verdict = BASTION_ACCEPT;
	return 1;
}

static __always_inline void note_allowed(const struct question *question, const struct recalled *found, __u32 generation)
{
	__u32 zero = 0;
	struct memo *memo = bpf_map_lookup_elem(&memos, &zero);

	if (!memo || found->verdict != BASTION_ACCEPT || found->until_ns || __sync_lock_test_and_set(&memo->busy, 1))
		return;
	memo->question = *question;
	memo->hit_slot = found->hit_slot;
	memo->generation = generation;
	__sync_fetch_and_add(&memo->sequence, 1);
	__sync_lock_test_and_set(&memo->busy, 0);
}

/* `look_up` for what comes in long rows. */
static __always_inline int look_up_datagram(const struct question *question, struct recalled *found)
{
	struct bastion_settings *now = current_settings();
	__u32 generation = now ? now->generation : 0;

	if (was_allowed(question, found))
		return 1;
	if (!look_up(question, found))
		return 0;
	/* The generation as it was before: a change meanwhile makes the note worthless. */
	note_allowed(question, found, generation);
	return 1;
}

static __always_inline void count_hit(__u32 slot)
{
	__u64 *value = slot ? bpf_map_lookup_elem(&hits, &slot) : 0;

	if (value)
		(*value)++;
}

/* Did the program choose this port? The kernel's own choice nobody could have spoken to first. Source: SOCK_BINDPORT_LOCK. */
static __always_inline int is_bound(struct sock *socket)
{
	return BPF_CORE_READ_BITFIELD_PROBED(socket, sk_userlocks) & PORT_LOCK;
}

/* Did the peer speak first to this server? If nobody has, we do now. */
static __always_inline int answers_peer(struct sock *socket, __u64 cookie, const struct bastion_destination *destination)
{
	struct bastion_peer_key key = {};
	__u32 value = BASTION_WE_SPOKE_FIRST;
	__u32 *known;

	if (destination->protocol != IPPROTO_UDP || !is_bound(socket))
		return 0;
	key.cookie = cookie;
	key.peer = *destination;
	known = bpf_map_lookup_elem(&peers, &key);
	if (known)
		return *known == BASTION_PEER_SPOKE_FIRST;
	if (take_peer(user_of(current_task())))
		bpf_map_update_elem(&peers, &key, &value, BPF_NOEXIST);
	return 0;
}

/* The kernel itself: as a program it has the identity zero, which no process can have. */
static __always_inline void kernel_owner(struct bastion_owner *owner)
{
	struct bastion_settings *now = current_settings();
	/* One byte each: a text would be a map of its own. */
	char *name = owner->command;

	__builtin_memset(owner, 0, sizeof(*owner));
	owner->flags = BASTION_OWNER_KERNEL;
	owner->network_namespace = now ? now->network_namespace : 0;
	name[0] = 'k', name[1] = 'e', name[2] = 'r', name[3] = 'n', name[4] = 'e', name[5] = 'l';
}

/*
 * Identifies the task that runs now; 0 for a kernel's thread, which has no file. Not static for the verifier's sake, see
 * read_packet.
 */
__noinline int name_caller(struct question *question)
{
	struct task_struct *task = current_task();
	struct mm_struct *mm = task->mm;
	struct file *file;

	if (!question)
		return 0;
	file = mm ? mm->exe_file : 0;
	if (!file)
		return 0;
	question->owned = 1;
	question->uid = task->cred->uid.val;
	question->flow.pid = task->tgid;
	question->flow.start_ns = task->group_leader->start_boottime;
	read_executable(file->f_inode, &question->flow.executable);
	distrust_executable(task->group_leader, &question->flow.executable);
	return 1;
}

/*
 * A datagram is sent by the task that runs now (ip_local_out is called below sendmsg), whoever made or connected its socket:
 * what was inherited over exec or passed on lends nobody its permission, and the loss of a record names nobody else.
 */
static __always_inline void name_datagram_sender(struct question *question, const struct bastion_owner *owner, struct sock *socket)
{
	struct bastion_settings *now = current_settings();

	if (!name_caller(question))
		name_sender(question, owner);
	else
		question->network_namespace = now ? now->network_namespace : 0;
	if (answers_peer(socket, question->flow.cookie, &question->flow.destination))
		question->reply = BASTION_FORM_REPLY;
}

/* The same as a whole record. */
static __always_inline void read_datagram_sender(struct bastion_owner *sender, const struct bastion_owner *owner)
{
	struct bastion_settings *now = current_settings();

	if (read_caller(sender))
		sender->network_namespace = now ? now->network_namespace : 0;
	else if (owner)
		*sender = *owner;
}

enum sent_by { BY_NOBODY, BY_KERNEL, BY_OWNER, BY_CALLER };

struct origin {
	struct sock *socket;
	/* The socket's record, 0 without one. */
	const struct bastion_owner *owner;
	/* Of the record, else the socket's own; of no meaning for the kernel's packets. */
	__u64 cookie;
	enum sent_by by;
	/* A listening socket's packet. */
	__u32 listens;
};

/* Of a packet in netfilter's LOCAL_OUT. */
static __always_inline void find_origin(struct __sk_buff *skb, const struct bastion_tuple *tuple, struct origin *origin)
{
	struct sock *socket = kernel_socket(skb);
	__u8 protocol = tuple->destination.protocol, state;
	__u16 type, own_protocol;

	origin->by = BY_KERNEL;
	if (!socket)
		return;
	/* Gives a socket its cookie that has none yet. */
	origin->cookie = bpf_get_socket_cookie(skb);
	state = BPF_CORE_READ(socket, __sk_common.skc_state);
	if (state == STATE_NEW_SYN_RECV) {
		socket = BPF_CORE_READ(socket, __sk_common.skc_listener);
		origin->cookie = BPF_CORE_READ(socket, __sk_common.skc_cookie.counter);
		state = STATE_LISTEN;
	}
	origin->socket = socket;
	type = BPF_CORE_READ(socket, sk_type);
	own_protocol = BPF_CORE_READ(socket, sk_protocol);
	if (type == SOCKET_RAW) {
		/* A tunnel's outer packet, or a header that the program made itself: who can say. */
		if (own_protocol != protocol && own_protocol != IPPROTO_RAW) {
			origin->by = BY_NOBODY;
			return;
		}
	} else if ((own_protocol != protocol && own_protocol != PROTOCOL_MPTCP) ||
		   (protocol == IPPROTO_UDP && BPF_CORE_READ(socket, __sk_common.skc_num) != bpf_ntohs(tuple->source_port))) {
		/*
		 * The socket is that of the packet inside. But a thread of its program may take the port away meanwhile: of one
		 * protocol, only what the kernel has wrapped is the kernel's, or what no program sends.
		 */
		if (own_protocol == protocol && current_task()->mm &&
		    !BPF_CORE_READ_BITFIELD_PROBED((struct sk_buff *)skb, encapsulation))
			origin->by = BY_CALLER;
		return;
	}
	if (type == SOCKET_DATAGRAM || type == SOCKET_RAW) {
		origin->by = is_kernel_socket(socket) ? BY_KERNEL : BY_CALLER;
		return;
	}
	origin->owner = owner_of(socket);
	if (!origin->owner && is_kernel_socket(socket))
		return;
	origin->listens = state == STATE_LISTEN;
	origin->by = BY_OWNER;
}

#endif
