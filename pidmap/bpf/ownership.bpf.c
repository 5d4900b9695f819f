//go:build ignore
/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Who makes sockets, who moves bytes through them, and what each ends with. Every socket carries its own state
 * (sk_storage), so the common case, one process on one socket, costs no hash look-up and leaves with the socket.
 * Tuples, processes and counters are copied out; everything is decided in user space. */
#include "kernel.h"
#include "record.h"

char gpl[] SEC("license") = "GPL"; /* the kernel lends its tracing helpers to no other */

struct socket_state {
	u64 cookie, created;
	struct process maker, user;
	struct tuple told; /* as the last record had it */
	struct tuple peer; /* of the last datagram of a socket without a peer of its own */
	u64 tx, rx;        /* of user, and of user alone until shared */
	u64 over;          /* as in a record */
	u32 netns;
	u8 flags, opened, closed, late; /* late: bytes moved since it was told that it is closed */
	u8 multipath, counting;         /* counting: counted says something */
	u8 pad[6];
	struct datagrams counted;
};

/* One of several users of a socket. */
struct user_key {
	u64 cookie, start, exec;
	u32 tgid, pad;
};
struct moved {
	u64 tx, rx;
};

struct {
	UINT(type, MAP_RINGBUF);
	UINT(max_entries, 8 << 20);
} events SEC(".maps");

struct {
	UINT(type, MAP_SK_STORAGE);
	UINT(map_flags, NO_PREALLOC);
	TYPE(key, int);
	TYPE(value, struct socket_state);
} sockets SEC(".maps");

struct {
	UINT(type, MAP_LRU_HASH);
	UINT(max_entries, 65536);
	TYPE(key, struct user_key);
	TYPE(value, struct moved);
} users SEC(".maps");

/* Packets of TCP connections that no socket has yet: those of a handshake pass the listener. */
struct greeting {
	struct interface counted;
	u32 index, pad;
};
struct {
	UINT(type, MAP_LRU_HASH);
	UINT(max_entries, 16384);
	TYPE(key, struct tuple);
	TYPE(value, struct greeting);
} greetings SEC(".maps");

/* Peers of UDP sockets that were told of. */
struct peer_key {
	u64 cookie;
	struct tuple tuple;
};
struct {
	UINT(type, MAP_LRU_HASH);
	UINT(max_entries, 65536);
	TYPE(key, struct peer_key);
	TYPE(value, u8);
} peers SEC(".maps");

enum { LOST_RECORD, LOST_STATE, LOST_KINDS };
struct {
	UINT(type, MAP_PERCPU_ARRAY);
	UINT(max_entries, LOST_KINDS);
	TYPE(key, u32);
	TYPE(value, u64);
} lost SEC(".maps");

INLINE void count_lost(u32 kind)
{
	u64 *n = map_lookup(&lost, &kind);
	if (n)
		*n += 1;
}

/* A wake-up costs more than all the rest (13-16 us where the reader sleeps on another processor): the first record of an
 * empty ring wakes the reader, which then lets some more come, unless a storm would fill the ring before. */
INLINE u64 wakeup(void)
{
	return ringbuf_query(&events, AVAIL_DATA) > (512 << 10) ? FORCE_WAKEUP : WAKEUP_IF_READ;
}

INLINE void describe(struct process *p, struct task_struct *task)
{
	struct task_struct *leader = READ(task->group_leader);
	p->tgid = READ(task->tgid);
	p->start = READ(leader->start_boottime);
	p->exec = READ(task->self_exec_id);
	struct task_struct *parent = READ(leader->real_parent);
	p->ppid = READ(parent->tgid);
	const struct cred *cred = READ(leader->cred);
	p->uid = READ(cred->uid.val);
	p->kthread = (READ(task->flags) & FLAG_KTHREAD) != 0;
	p->cgroup = 0;
	if (read_kernel(p->comm, sizeof(p->comm), &leader->comm) != 0)
		p->comm[0] = 0;
}

INLINE void describe_current(struct process *p)
{
	describe(p, (struct task_struct *)current_task());
	p->cgroup = current_cgroup_id();
}

#define BITFIELD(from, field)                                                                       \
	({                                                                                          \
		u64 bits = 0;                                                                       \
		read_kernel(&bits, __builtin_preserve_field_info((from)->field, 1),                 \
			    (void *)(from) + __builtin_preserve_field_info((from)->field, 0));      \
		bits <<= __builtin_preserve_field_info((from)->field, 4);                           \
		bits >> __builtin_preserve_field_info((from)->field, 5);                            \
	})

INLINE u16 swap16(u16 v) { return (u16)(v << 8 | v >> 8); }

INLINE u16 local_port(struct sock *sk)
{
	u16 port = sk->__sk_common.skc_num;
	if (port)
		return port;
	return swap16(READ(((struct inet_sock *)sk)->inet_sport));
}

INLINE void addresses_of(struct tuple *t, struct sock_common *c)
{
	t->remote_port = swap16(c->skc_dport);
	if (c->skc_family == FAMILY_IPV4) {
		t->family = 4;
		*(u32 *)t->local = c->skc_rcv_saddr;
		*(u32 *)t->remote = c->skc_daddr;
		return;
	}
	t->family = 6;
	read_kernel(t->local, sizeof(t->local), &c->skc_v6_rcv_saddr);
	read_kernel(t->remote, sizeof(t->remote), &c->skc_v6_daddr);
}

INLINE void tuple_of(struct tuple *t, struct sock *sk)
{
	__builtin_memset(t, 0, sizeof(*t));
	t->protocol = (u8)sk->sk_protocol;
	t->local_port = local_port(sk);
	addresses_of(t, &sk->__sk_common);
}

INLINE void fill(struct socket_record *r, struct socket_state *s, u8 kind, struct process *p, const struct tuple *t, u8 flags)
{
	__builtin_memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->flags = s->flags | flags;
	r->multipath = s->multipath;
	r->over = s->over;
	r->netns = s->netns;
	r->time = boot_time();
	r->cookie = s->cookie;
	r->created = s->created;
	r->tuple = *t;
	r->process = *p;
	r->tx = s->tx;
	r->rx = s->rx;
}

INLINE void tell(struct socket_state *s, u8 kind, struct process *p, const struct tuple *t, u8 flags)
{
	struct socket_record *r = ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		count_lost(LOST_RECORD);
		return;
	}
	fill(r, s, kind, p, t, flags);
	ringbuf_submit(r, wakeup());
}

/* state_of finds or makes what is known of a TCP, Multipath TCP or UDP socket over IP; null for any other. A raw socket has the protocol
 * of the packets that it hears or makes, but is no end of theirs. */
INLINE struct socket_state *state_of(struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family, protocol = sk->sk_protocol;
	if ((family != FAMILY_IPV4 && family != FAMILY_IPV6) || (protocol != TCP && protocol != UDP && protocol != MPTCP))
		return 0;
	if (sk->sk_type == TYPE_RAW)
		return 0;
	struct socket_state *s = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);
	if (!s) {
		count_lost(LOST_STATE);
		return 0;
	}
	if (!s->cookie) {
		s->cookie = socket_cookie(sk);
		s->multipath = protocol == MPTCP;
	}
	if (!s->netns)
		s->netns = READ(sk->__sk_common.skc_net.net->ns.inum);
	return s;
}

/* carried_for is the cookie of the socket of Multipath TCP that a TCP socket carries packets of, 0 = none. A program has only the
 * former; the latter the kernel makes, a further one in a thread of its own. The former has its cookie from state_of: it
 * connects, or is made, before the latter. (The helper for this takes no socket of a tracepoint.) */
INLINE u64 carried_for(struct sock *sk)
{
	if (!HAS(tcp_sock, is_mptcp) || !HAS(mptcp_subflow_context, conn) || sk->sk_protocol != TCP)
		return 0;
	if (!READ(((struct tcp_sock *)sk)->is_mptcp))
		return 0;
	struct mptcp_subflow_context *path = READ(((struct inet_connection_sock *)sk)->icsk_ulp_data);
	struct sock *over = READ(path->conn);
	return READ(over->__sk_common.skc_cookie.counter);
}

/* owned_by_kernel says that no descriptor refers to a socket on which I/O is going on: nobody but the kernel can. */
INLINE int owned_by_kernel(struct sock *sk)
{
	struct socket *socket = sk->sk_socket;
	return socket && !READ(socket->file);
}

/* ---- sockets ---- */

SEC("cgroup/sock_create")
int sock_create(struct bpf_sock *sk)
{
	if (sk->family != FAMILY_IPV4 && sk->family != FAMILY_IPV6)
		return 1;
	if (sk->protocol != TCP && sk->protocol != UDP && sk->protocol != MPTCP)
		return 1;
	struct socket_state *s = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);
	if (!s) {
		count_lost(LOST_STATE);
		return 1;
	}
	s->created = boot_time();
	describe_current(&s->maker);
	struct nsproxy *spaces = READ(((struct task_struct *)current_task())->nsproxy);
	struct net *net = READ(spaces->net_ns);
	s->netns = READ(net->ns.inum); /* socket(2) makes it there; where packets pass no helper tells */
	return 1;
}

INLINE void opened(struct sock *sk, struct socket_state *s, u8 flags)
{
	tuple_of(&s->told, sk);
	s->opened = 1;
	s->closed = 0;
	s->flags |= flags;
	if (BITFIELD(sk, __sk_common.skc_ipv6only))
		s->flags |= V6ONLY;
	tell(s, OPENED, &s->maker, &s->told, 0);
}

/* totals adds what TCP counted of the bytes of a socket. */
INLINE void totals(struct socket_record *r, struct sock *sk)
{
	struct tcp_sock *tp = sk->sk_protocol == TCP ? to_tcp_sock(sk) : 0;
	if (!tp)
		return;
	r->flags |= TOTALED;
	if (sk->__sk_common.skc_flags & (1UL << SOCK_DONE))
		r->flags |= FIN_TAKEN;
	r->sent = tp->bytes_sent;
	r->retrans = tp->bytes_retrans;
	r->received = tp->bytes_received;
}

INLINE void closed(struct sock *sk, struct socket_state *s)
{
	if (s->closed)
		return;
	if (!s->opened) /* refused, or given up: its port is known only now */
		tuple_of(&s->told, sk);
	s->closed = 1;
	s->opened = 0;
	if (!s->told.remote_port && !s->told.local_port)
		return; /* never had an address */
	struct process *p = s->user.tgid ? &s->user : &s->maker;
	if (!s->counting) {
		struct socket_record *r = ringbuf_reserve(&events, sizeof(*r), 0);
		if (!r) {
			count_lost(LOST_RECORD);
			return;
		}
		fill(r, s, CLOSED, p, &s->told, 0);
		totals(r, sk);
		ringbuf_submit(r, wakeup());
		return;
	}
	struct datagrams_record *r = ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		count_lost(LOST_RECORD);
		return;
	}
	fill(&r->socket, s, DATAGRAMS, p, &s->told, 0);
	totals(&r->socket, sk);
	r->datagrams = s->counted;
	ringbuf_submit(r, wakeup());
}

/* greet moves the packets of its handshake to an accepted socket. A socket of family 6 may have a peer of family 4. */
INLINE void greet(struct socket_state *s)
{
	struct tuple key = s->told;
	u32 *words = (u32 *)s->told.remote;
	if (key.family == 6 && !words[0] && !words[1] && words[2] == MAPPED) {
		key.family = 4;
		__builtin_memset(key.local, 0, sizeof(key.local));
		__builtin_memset(key.remote, 0, sizeof(key.remote));
		*(u32 *)key.local = *(u32 *)(s->told.local + 12);
		*(u32 *)key.remote = words[3];
	}
	struct greeting *g = map_lookup(&greetings, &key);
	if (!g)
		return;
	s->counting = 1;
	s->counted.each[0] = g->counted;
	s->counted.index[0] = g->index;
	s->counted.arrived = g->counted.rx_packets;
	map_delete(&greetings, &key);
}

SEC("tp_btf/inet_sock_set_state")
int inet_sock_set_state(u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	s32 from = (s32)ctx[1], to = (s32)ctx[2];
	if (to != STATE_SYN_SENT && to != STATE_ESTABLISHED && to != STATE_CLOSE && to != STATE_LISTEN)
		return 0;
	struct socket_state *s = state_of(sk);
	if (!s)
		return 0;
	switch (to) {
	case STATE_SYN_SENT: /* in the process that connects; the kernel picks the port after this */
		describe_current(&s->maker);
		if (owned_by_kernel(sk))
			s->flags |= KERNEL;
		s->created = boot_time();
		s->opened = s->closed = s->late = 0;
		s->over = carried_for(sk);
		break;
	case STATE_LISTEN: /* in the process that listens */
		describe_current(&s->maker);
		if (owned_by_kernel(sk))
			s->flags |= KERNEL;
		opened(sk, s, LISTENING);
		break;
	case STATE_ESTABLISHED:
		s->over = carried_for(sk);
		if (!s->created)
			s->created = boot_time();
		opened(sk, s, from == STATE_SYN_SENT ? 0 : ACCEPTED);
		if (from != STATE_SYN_SENT)
			greet(s);
		break;
	case STATE_CLOSE:
		if (!s->multipath) /* that ends with its release: what came before may still be read */
			closed(sk, s);
	}
	return 0;
}

/* Sockets that never left a state visibly: listeners, mostly. And those that TCP was through with before the program was,
 * after a half close: what was read since then. */
SEC("tp_btf/tcp_destroy_sock")
int tcp_destroy_sock(u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct socket_state *s = state_of(sk);
	if (s && s->opened)
		closed(sk, s);
	else if (s && s->late && s->user.tgid)
		tell(s, USED, &s->user, &s->told, FIRST);
	return 0;
}

/* A SYN that nobody answers: the tuple of a connection that is not there yet. */
SEC("tp_btf/tcp_retransmit_skb")
int tcp_retransmit_skb(u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	if (sk->__sk_common.skc_state != STATE_SYN_SENT)
		return 0;
	struct socket_state *s = state_of(sk);
	if (s && !s->opened)
		opened(sk, s, 0);
	return 0;
}

SEC("cgroup/sock_release")
int sock_release(struct bpf_sock *sk)
{
	if (sk->protocol != UDP && sk->protocol != MPTCP)
		return 1;
	struct socket_state *s = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);
	if (!s || s->closed)
		return 1;
	s->multipath = sk->protocol == MPTCP;
	if (!s->cookie) /* made before the tracing, or never used */
		s->cookie = socket_cookie(sk);
	if (!s->told.family) {
		s->told.protocol = s->multipath ? TCP : UDP;
		s->told.family = sk->family == FAMILY_IPV4 ? 4 : 6;
	}
	s->closed = 1;
	struct process *p = s->user.tgid ? &s->user : &s->maker;
	struct datagrams_record *r;
	if (s->multipath || !s->counting) {
		tell(s, CLOSED, p, &s->told, 0);
		return 1;
	}
	if (!(r = ringbuf_reserve(&events, sizeof(*r), 0))) {
		count_lost(LOST_RECORD);
		return 1;
	}
	fill(&r->socket, s, DATAGRAMS, p, &s->told, 0);
	r->datagrams = s->counted;
	ringbuf_submit(r, wakeup());
	return 1;
}

/* ---- bytes ---- */

INLINE int same_tuple(struct sock *sk, struct tuple *t)
{
	struct sock_common *c = &sk->__sk_common;
	if (t->remote_port != swap16(c->skc_dport) || t->local_port != c->skc_num)
		return 0;
	if (c->skc_family == FAMILY_IPV4)
		return *(u32 *)t->remote == c->skc_daddr;
	u64 remote[2];
	read_kernel(remote, sizeof(remote), &c->skc_v6_daddr);
	return remote[0] == *(u64 *)t->remote && remote[1] == *(u64 *)(t->remote + 8);
}

INLINE int same_user(const struct process *a, const struct process *b)
{
	return a->tgid == b->tgid && a->start == b->start && a->exec == b->exec;
}

/* share counts for one of several users. What the first one moved before stays in the state. */
INLINE void share(struct socket_state *s, struct process *p, u64 tx, u64 rx)
{
	if (!(s->flags & SHARED)) {
		s->flags |= SHARED;
		tell(s, USED, &s->user, &s->told, FIRST);
	}
	struct user_key key = {.cookie = s->cookie, .start = p->start, .exec = p->exec, .tgid = p->tgid};
	struct moved *m = map_lookup(&users, &key);
	if (m) {
		__sync_fetch_and_add(&m->tx, tx);
		__sync_fetch_and_add(&m->rx, rx);
		return;
	}
	struct moved first = {tx, rx};
	map_update(&users, &key, &first, ANY);
	if (same_user(p, &s->user))
		return; /* told of already */
	describe_current(p);
	tell(s, USED, p, &s->told, 0);
}

/* took counts what programs sent and received on a UDP socket, whoever they were. */
INLINE void took(struct socket_state *s, s32 ret, u64 sends)
{
	if (ret < 0)
		return;
	s->counting = 1;
	__sync_fetch_and_add(sends ? &s->counted.sent : &s->counted.received, ret);
	if (!sends)
		__sync_fetch_and_add(&s->counted.taken, 1);
}

/* moved counts what the current process sent or received; ret <= 0 makes it a user that moved nothing. */
INLINE int moved(struct sock *sk, s32 ret, u64 sends, u32 flags)
{
	u64 bytes = ret > 0 ? ret : 0, tx = sends ? bytes : 0, rx = sends ? 0 : bytes;
	if (!sends && flags & (FLAG_PEEK | FLAG_ERRQUEUE))
		return 0;
	struct socket_state *s = state_of(sk);
	if (!s)
		return 0;
	if (sk->sk_protocol == UDP)
		took(s, ret, sends);
	/* A closed socket keeps the tuple that it had. */
	if (!s->closed && !same_tuple(sk, &s->told)) {
		if (sk->sk_protocol == UDP && s->told.local_port)
			s->counted.odd = s->counting; /* other peers before: its sums are theirs too */
		tuple_of(&s->told, sk);
		if (s->user.tgid)
			tell(s, USED, &s->user, &s->told, FIRST);
	}
	if (s->closed && bytes)
		s->late = 1;
	struct task_struct *task = current_task_btf();
	struct process p = {.tgid = task->tgid};
	p.start = task->group_leader->start_boottime;
	p.exec = task->self_exec_id;
	if (!s->user.tgid) {
		describe_current(&s->user);
		if (owned_by_kernel(sk))
			s->flags |= KERNEL;
		s->tx += tx;
		s->rx += rx;
		tell(s, USED, &s->user, &s->told, FIRST);
		return 0;
	}
	if (s->flags & SHARED || !same_user(&s->user, &p)) {
		share(s, &p, tx, rx);
		return 0;
	}
	if (tx)
		__sync_fetch_and_add(&s->tx, tx);
	if (rx)
		__sync_fetch_and_add(&s->rx, rx);
	return 0;
}

/* Since Linux 6.3. */
SEC("tp_btf/sock_send_length")
int sock_send_length(u64 *ctx)
{
	return moved((struct sock *)ctx[0], (s32)ctx[1], 1, 0);
}

SEC("tp_btf/sock_recv_length")
int sock_recv_length(u64 *ctx)
{
	return moved((struct sock *)ctx[0], (s32)ctx[1], 0, (u32)ctx[2]);
}

/* Before. */
SEC("fexit/inet_sendmsg")
int inet_sendmsg(u64 *ctx)
{
	return moved(((struct socket *)ctx[0])->sk, (s32)ctx[3], 1, 0);
}

SEC("fexit/inet6_sendmsg")
int inet6_sendmsg(u64 *ctx)
{
	return moved(((struct socket *)ctx[0])->sk, (s32)ctx[3], 1, 0);
}

SEC("fexit/inet_recvmsg")
int inet_recvmsg(u64 *ctx)
{
	return moved(((struct socket *)ctx[0])->sk, (s32)ctx[4], 0, (u32)ctx[3]);
}

SEC("fexit/inet6_recvmsg")
int inet6_recvmsg(u64 *ctx)
{
	return moved(((struct socket *)ctx[0])->sk, (s32)ctx[4], 0, (u32)ctx[3]);
}

/* splice(2) takes bytes out of a socket past recvmsg. Whoever does is its user; how much he took is not known. A
 * socket with user data is read by the kernel itself, in whatever process the packet came. */
SEC("tp_btf/tcp_rcv_space_adjust")
int tcp_rcv_space_adjust(u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct socket_state *s = state_of(sk);
	if (!s || s->user.tgid || sk->sk_user_data)
		return 0;
	return moved(sk, 0, 0, 0);
}

/* ---- packets ---- */

/* load copies n bytes of a packet, a multiple of 4; not 0 = it is shorter. They are where they can be read at once but for packets that nobody
 * has looked into. */
INLINE long load(struct __sk_buff *skb, u32 at, void *to, u32 n)
{
	void *from = (void *)(unsigned long)skb->data + at, *end = (void *)(unsigned long)skb->data_end;
	if (from + n > end)
		return skb_load_bytes(skb, at, to, n);
	for (u32 i = 0; i < n / 4; i++)
		((u32 *)to)[i] = ((u32 *)from)[i];
	return 0;
}

/* headers_of reads a packet's addresses and ports, remote ones apart from local ones; 0 = it has none. */
INLINE int headers_of(struct tuple *t, struct __sk_buff *skb, u8 protocol, int sent)
{
	u8 head[40] __attribute__((aligned(8)));
	u16 ports[2] __attribute__((aligned(8)));
	u32 ports_at = 40;
	t->protocol = protocol;
	if (skb->protocol == swap16(0x0800)) {
		if (load(skb, 0, head, 20) || head[9] != protocol || (head[6] & 0x1f) || head[7])
			return 0; /* a later fragment has no ports */
		ports_at = (head[0] & 15) * 4;
		t->family = 4;
		__builtin_memcpy(sent ? t->local : t->remote, head + 12, 4);
		__builtin_memcpy(sent ? t->remote : t->local, head + 16, 4);
	} else {
		if (load(skb, 0, head, 40) || head[6] != protocol)
			return 0;
		t->family = 6;
		__builtin_memcpy(sent ? t->local : t->remote, head + 8, 16);
		__builtin_memcpy(sent ? t->remote : t->local, head + 24, 16);
	}
	if (load(skb, ports_at, ports, sizeof(ports)))
		return 0;
	t->local_port = swap16(sent ? ports[0] : ports[1]);
	t->remote_port = swap16(sent ? ports[1] : ports[0]);
	return 1;
}

INLINE int same_words(const struct tuple *a, const struct tuple *b)
{
	const u64 *x = (const u64 *)a, *y = (const u64 *)b;
	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3] && x[4] == y[4];
}

/* add counts a packet with so many bytes of payload. */
INLINE void add(struct interface *i, struct __sk_buff *skb, u64 payload, int sent)
{
	__sync_fetch_and_add(sent ? &i->tx : &i->rx, payload);
	__sync_fetch_and_add(sent ? &i->tx_packets : &i->rx_packets, 1);
	__sync_fetch_and_add(sent ? &i->tx_ip : &i->rx_ip, skb->len);
}

/* count adds a packet to what its socket sent or was sent. IP options and extension headers are not followed. */
INLINE void count(struct __sk_buff *skb, struct socket_state *s, u32 headers, int sent)
{
	struct datagrams *d = &s->counted;
	s->counting = 1;
	if (!headers || skb->len < headers) {
		d->odd = 1;
		return;
	}
	u64 bytes = skb->len - headers;
	struct interface *i = &d->each[INTERFACES];
	u32 index = skb->ifindex;
	if (!d->index[0] || d->index[0] == index) {
		d->index[0] = index;
		i = &d->each[0];
	} else if (!d->index[1] || d->index[1] == index) {
		d->index[1] = index;
		i = &d->each[1];
	}
	if (!sent)
		__sync_fetch_and_add(&d->arrived, 1);
	if (!sent && skb->pkt_type != PACKET_HOST) {
		__sync_fetch_and_add(&d->group, bytes);
		bytes = 0;
	}
	add(i, skb, bytes, sent);
}

/* count_greeting adds a packet to what a connection has had before it has a socket. */
INLINE void count_greeting(struct __sk_buff *skb, u32 headers, int sent)
{
	struct tuple key = {};
	if (!headers || skb->len < headers || !headers_of(&key, skb, TCP, sent))
		return;
	struct greeting *g = map_lookup(&greetings, &key);
	if (!g) {
		struct greeting none = {.index = skb->ifindex};
		map_update(&greetings, &key, &none, ANY);
		if (!(g = map_lookup(&greetings, &key)))
			return;
	}
	add(&g->counted, skb, skb->len - headers, sent);
}

/* headers is how long a packet's headers are, 0 = it is none of the protocol. */
INLINE u32 headers(struct __sk_buff *skb, u8 protocol)
{
	u8 head[12] __attribute__((aligned(8)));
	u32 ip = 40;
	if (load(skb, 0, head, sizeof(head)))
		return 0;
	if (skb->protocol == swap16(0x86dd)) {
		if (head[6] != protocol)
			return 0;
	} else {
		if (head[9] != protocol)
			return 0;
		ip = (head[0] & 15) * 4;
	}
	if (protocol == UDP)
		return ip + 8;
	return load(skb, ip + 12, head, 4) ? 0 : ip + (head[0] >> 4) * 4;
}

/* seen counts the packets of TCP and UDP sockets, and tells of the peers of those that are not connected. It runs for every
 * packet: whatever is neither, which the socket alone says, is let go first, and the peer of the last packet, which the
 * socket's state has, next. */
INLINE void seen(struct __sk_buff *skb, int sent)
{
	struct bpf_sock *sk = skb->sk;
	if (!sk)
		return;
	sk = sk_fullsock(sk);
	if (!sk)
		return;
	u32 protocol = sk->protocol, raw = sk->type == TYPE_RAW;
	if (protocol == TCP && sk->state == STATE_LISTEN && !raw) {
		count_greeting(skb, headers(skb, TCP), sent);
		return;
	}
	if (protocol != UDP && (protocol != TCP || raw))
		return;
	if (raw && !sent) /* gets a copy of whatever comes for others */
		return;
	struct socket_state *s = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);
	if (!s) {
		count_lost(LOST_STATE);
		return;
	}
	if (!raw)
		count(skb, s, headers(skb, protocol), sent);
	if (protocol == TCP || sk->dst_port)
		return;
	struct peer_key key = {};
	if (!headers_of(&key.tuple, skb, UDP, sent))
		return;
	if (same_words(&s->peer, &key.tuple))
		return;
	if (!s->netns) /* older than the tracing and not used since: its first system call tells whose addresses these are */
		return;
	s->peer = key.tuple;
	if (!s->cookie)
		s->cookie = socket_cookie(skb);
	key.cookie = s->cookie;
	if (map_lookup(&peers, &key))
		return;
	u8 one = 1;
	map_update(&peers, &key, &one, ANY);
	tell(s, PEER, s->user.tgid ? &s->user : &s->maker, &key.tuple, 0);
}

SEC("cgroup_skb/egress")
int skb_egress(struct __sk_buff *skb)
{
	seen(skb, 1);
	return 1;
}

SEC("cgroup_skb/ingress")
int skb_ingress(struct __sk_buff *skb)
{
	seen(skb, 0);
	return 1;
}

/* A datagram for which the receive buffer had no room. Before Linux 6.10 the event does not say which it was. */
SEC("tp_btf/udp_fail_queue_rcv_skb")
int udp_fail_queue_rcv_skb(u64 *ctx)
{
	struct socket_state *s = sk_storage_get(&sockets, (struct sock *)ctx[1], 0, 0);
	if (!s)
		return 0;
	__sync_fetch_and_add(&s->counted.dropped, 1);
	__sync_fetch_and_add(&s->counted.dropped_bytes, ((struct sk_buff *)ctx[2])->len);
	return 0;
}

/* What the sockets that are open have had: whoever reads the iterators gets a record for each descriptor of one, and those of TCP
 * sockets that no program has any more in his network namespace. The iterator over the storage itself would tell of each once,
 * but hosts that refuse trampolines refuse that too. */
INLINE int list(struct bpf_iter_meta *meta, struct sock *sk)
{
	struct socket_state *s = sk_storage_get(&sockets, sk, 0, 0);
	if (!s || !s->counting || s->closed)
		return 0;
	struct datagrams_record r;
	__builtin_memset(&r, 0, sizeof(r));
	r.socket.kind = COUNTED;
	r.socket.time = boot_time();
	r.socket.cookie = socket_cookie(sk);
	r.socket.netns = READ(sk->__sk_common.skc_net.net->ns.inum);
	r.socket.tuple.protocol = (u8)sk->sk_protocol;
	r.socket.tuple.local_port = sk->__sk_common.skc_num;
	addresses_of(&r.socket.tuple, &sk->__sk_common);
	r.socket.created = s->created;
	r.socket.flags = s->flags;
	r.datagrams = s->counted;
	seq_write(meta->seq, &r, sizeof(r));
	return 0;
}

SEC("iter/task_file")
int open_sockets(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	asm volatile("" : "+r"(file)); /* the verifier knows what is not null only of one load */
	struct socket *socket = file ? sock_from_file(file) : 0;
	struct sock *sk = socket ? socket->sk : 0;
	return sk ? list(ctx->meta, sk) : 0;
}

SEC("iter/tcp")
int open_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *c = ctx->sk_common;
	asm volatile("" : "+r"(c));
	struct tcp_sock *tp = c ? to_tcp_sock(c) : 0;
	return tp ? list(ctx->meta, (struct sock *)tp) : 0;
}

/* The UDP sockets that the kernel has made for itself, as for a tunnel: no program does I/O on them that could be told of. */
SEC("iter/udp")
int kernel_sockets(struct bpf_iter__udp *ctx)
{
	struct sock *sk = (struct sock *)ctx->udp_sk;
	asm volatile("" : "+r"(sk));
	if (!sk || !BITFIELD(sk, sk_kern_sock))
		return 0;
	struct socket_record r;
	__builtin_memset(&r, 0, sizeof(r));
	r.kind = OPENED;
	r.flags = KERNEL;
	if (BITFIELD(sk, __sk_common.skc_ipv6only))
		r.flags |= V6ONLY;
	r.time = boot_time();
	r.cookie = socket_cookie(sk);
	r.netns = READ(sk->__sk_common.skc_net.net->ns.inum);
	r.tuple.protocol = UDP;
	r.tuple.local_port = sk->__sk_common.skc_num;
	addresses_of(&r.tuple, &sk->__sk_common);
	seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}

/* ---- processes ---- */

/* path_of writes the names on the way from a file up to the root, leaf first, an empty one where a mount is crossed, and
 * returns how many; 0 = too long. Each step has its own place: a second counter would make the verifier try every
 * mix of the two. */
INLINE u16 path_of(char (*names)[COMPONENT], struct file *file)
{
	struct dentry *dentry = READ(file->f_path.dentry);
	struct vfsmount *vfs = READ(file->f_path.mnt);
	for (u32 step = 0; step < COMPONENTS; step++) {
		struct dentry *parent = READ(dentry->d_parent);
		names[step][0] = 0;
		if (dentry == parent && dentry != READ(vfs->mnt_root)) { /* in no directory: memfd_create(2) */
			if (read_kernel_str(names[step], COMPONENT, READ(dentry->d_name.name)) >= COMPONENT)
				return 0;
			return step + 1;
		}
		if (dentry == parent || dentry == READ(vfs->mnt_root)) {
			struct mount *at = (void *)vfs - __builtin_preserve_field_info(((struct mount *)0)->mnt, 0);
			struct mount *above = READ(at->mnt_parent);
			if (above == at)
				return step;
			dentry = READ(at->mnt_mountpoint);
			vfs = &above->mnt;
			continue;
		}
		if (read_kernel_str(names[step], COMPONENT, READ(dentry->d_name.name)) >= COMPONENT)
			return 0; /* perhaps cut off */
		dentry = parent;
	}
	return 0;
}

SEC("tp_btf/sched_process_exec")
int sched_process_exec(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct linux_binprm *program = (struct linux_binprm *)ctx[2];
	struct exec_record *r = ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		count_lost(LOST_RECORD);
		return 0;
	}
	__builtin_memset(&r->head, 0, sizeof(r->head));
	r->head.kind = EXEC;
	r->head.time = boot_time();
	describe_current(&r->head.process);
	if (read_kernel_str(r->filename, FILENAME, program->filename) < 0)
		r->filename[0] = 0;
	struct mm_struct *mm = task->mm;
	if (mm) {
		unsigned long start = READ(mm->arg_start), end = READ(mm->arg_end);
		u64 size = end - start;
		if (size > ARGUMENTS)
			size = ARGUMENTS;
		if (size && read_user(r->arguments, size, (void *)start) == 0)
			r->head.argument_bytes = size;
		r->head.components = path_of(r->path, READ(mm->exe_file));
	}
	ringbuf_submit(r, wakeup());
	return 0;
}

INLINE int process_event(u8 kind, struct task_struct *task, struct task_struct *parent)
{
	struct process_record *r = ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		count_lost(LOST_RECORD);
		return 0;
	}
	__builtin_memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->time = boot_time();
	describe(&r->process, task);
	r->process.cgroup = current_cgroup_id();
	if (parent) {
		r->parent = parent->tgid;
		r->parent_start = parent->group_leader->start_boottime;
	}
	ringbuf_submit(r, wakeup());
	return 0;
}

SEC("tp_btf/sched_process_fork")
int sched_process_fork(u64 *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx[0], *child = (struct task_struct *)ctx[1];
	if (child->pid != child->tgid)
		return 0; /* a thread */
	return process_event(FORK, child, parent);
}

SEC("tp_btf/sched_process_exit")
int sched_process_exit(u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	if (task->signal->live.counter != 0)
		return 0; /* other threads go on */
	return process_event(EXIT, task, 0);
}
