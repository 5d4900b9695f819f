/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What ownership.bpf.c needs of the kernel: only the members that it reads. The loader moves every access to where the
 * running kernel has the member (CO-RE), so neither order nor the rest of a struct matters here. A whole vmlinux.h
 * would make the object three times as large. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;

/* include/uapi/linux/bpf.h: helpers by number, maps by type. */
#define HELPER static __attribute__((unused))
HELPER void *(*map_lookup)(void *map, const void *key) = (void *)1;
HELPER long (*map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
HELPER long (*map_delete)(void *map, const void *key) = (void *)3;
HELPER long (*skb_load_bytes)(const void *skb, u32 offset, void *to, u32 len) = (void *)26;
HELPER u64 (*current_task)(void) = (void *)35;
HELPER u64 (*socket_cookie)(void *sk) = (void *)46;
HELPER u64 (*current_cgroup_id)(void) = (void *)80;
HELPER struct bpf_sock *(*sk_fullsock)(void *sk) = (void *)95;
HELPER void *(*sk_storage_get)(void *map, void *sk, void *value, u64 flags) = (void *)107;
HELPER long (*read_user)(void *to, u32 size, const void *from) = (void *)112;
HELPER long (*read_kernel)(void *to, u32 size, const void *from) = (void *)113;
HELPER long (*read_kernel_str)(void *to, u32 size, const void *from) = (void *)115;
HELPER u64 (*boot_time)(void) = (void *)125;
HELPER long (*seq_write)(void *seq, const void *data, u32 len) = (void *)127;
HELPER void *(*ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
HELPER void (*ringbuf_submit)(void *record, u64 flags) = (void *)132;
HELPER u64 (*ringbuf_query)(void *ring, u64 what) = (void *)134;
HELPER struct tcp_sock *(*to_tcp_sock)(void *sk) = (void *)137;
HELPER struct task_struct *(*current_task_btf)(void) = (void *)158;
HELPER struct socket *(*sock_from_file)(void *file) = (void *)162;

enum { MAP_PERCPU_ARRAY = 6, MAP_LRU_HASH = 9, MAP_SK_STORAGE = 24, MAP_RINGBUF = 27 };
enum { ANY = 0, NO_PREALLOC = 1, STORAGE_CREATE = 1, WAKEUP_IF_READ = 0, FORCE_WAKEUP = 2, AVAIL_DATA = 0 };

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline)) inline
#define UINT(name, value) int (*name)[value]
#define TYPE(name, value) typeof(value) *name

/* READ fetches a member through a pointer that the verifier does not vouch for. */
#define READ(from)                                                     \
	({                                                             \
		typeof(from) value;                                    \
		if (read_kernel((void *)&value, sizeof(value), &(from)) != 0) \
			__builtin_memset((void *)&value, 0, sizeof(value)); \
		value;                                                 \
	})

/* Whether the running kernel has a member: the loader puts 0 or 1 here, and the verifier leaves out what cannot come. */
#define HAS(record, member) __builtin_preserve_field_info(((struct record *)0)->member, 2)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct { u64 counter; } atomic64_t;
struct in6_addr { u8 in6_u[16]; };
struct ns_common { u32 inum; };
struct net { struct ns_common ns; };
struct nsproxy { struct net *net_ns; };
typedef struct { struct net *net; } possible_net_t;
struct file;
struct socket { struct file *file; struct sock *sk; };

struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport; /* network order */
	u16 skc_num;   /* host order, 0 once unhashed */
	u16 skc_family;
	u8 skc_ipv6only : 1;
	u8 skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	unsigned long skc_flags;
};
struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol, sk_type;
	struct socket *sk_socket;
	void *sk_user_data;
	u8 sk_kern_sock : 1; /* made by the kernel, for itself */
};
struct inet_sock { u16 inet_sport; }; /* network order; stays after unhash */
struct tcp_sock { u64 bytes_received, bytes_sent, bytes_retrans, bytes_acked; u8 is_mptcp; };
struct inet_connection_sock { void *icsk_ulp_data; };
struct mptcp_subflow_context { struct sock *conn; };

struct sk_buff { u32 len; };
struct bpf_iter_meta { void *seq; };
struct udp_sock;
struct bpf_iter__udp { struct bpf_iter_meta *meta; struct udp_sock *udp_sk; };
struct bpf_iter__tcp { struct bpf_iter_meta *meta; struct sock_common *sk_common; };

struct qstr { const u8 *name; };
struct dentry { struct dentry *d_parent; struct qstr d_name; };
struct vfsmount { struct dentry *mnt_root; };
struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; };
struct path { struct vfsmount *mnt; struct dentry *dentry; };
struct file { struct path f_path; };
struct bpf_iter__task_file { struct bpf_iter_meta *meta; struct task_struct *task; u32 fd; struct file *file; };
struct mm_struct { unsigned long arg_start, arg_end; struct file *exe_file; };
typedef struct { u32 val; } kuid_t;
struct cred { kuid_t uid; };
typedef struct { int counter; } atomic_t;
struct signal_struct { atomic_t live; };
struct task_struct {
	int pid, tgid;
	u32 flags;
	u64 start_boottime, self_exec_id;
	struct task_struct *group_leader, *real_parent;
	const struct cred *cred;
	struct mm_struct *mm;
	struct signal_struct *signal;
	struct nsproxy *nsproxy;
	char comm[16];
};
struct linux_binprm { const char *filename; };

#pragma clang attribute pop

/* Contexts of cgroup programs: ABI of include/uapi/linux/bpf.h, not relocated. */
struct bpf_sock {
	u32 bound_dev_if, family, type, protocol, mark, priority, src_ip4, src_ip6[4];
	u32 src_port; /* host order */
	u16 dst_port; /* network order */
	u16 : 16;
	u32 dst_ip4, dst_ip6[4], state;
};
struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, unused[5], ifindex, unused_too[8], data, data_end, unused_as_well[21];
	struct bpf_sock *sk;
};

enum {
	FAMILY_IPV4 = 2, FAMILY_IPV6 = 10,                                                 /* include/linux/socket.h */
	TCP = 6, UDP = 17,                                                                 /* IANA */
	MPTCP = 262,                                                                       /* include/uapi/linux/in.h */
	STATE_ESTABLISHED = 1, STATE_SYN_SENT = 2, STATE_CLOSE = 7, STATE_LISTEN = 10,     /* include/net/tcp_states.h */
	FLAG_PEEK = 0x2, FLAG_ERRQUEUE = 0x2000,                                           /* include/linux/socket.h */
	FLAG_KTHREAD = 0x00200000,                                                         /* PF_KTHREAD, include/linux/sched.h */
	TYPE_RAW = 3,                                                                      /* include/linux/net.h */
	PACKET_HOST = 0,                                                                   /* include/uapi/linux/if_packet.h */
	MAPPED = 0xffff0000,                                                               /* third word of ::ffff:0.0.0.0, RFC 4291 */
	SOCK_DONE = 1,                                                                     /* bit of sk_flags, include/net/sock.h */
};
