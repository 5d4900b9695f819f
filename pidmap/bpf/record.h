/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What ownership.bpf.c writes to the ring; decode.go reads it. Native byte order, no padding but what is named. */
#pragma once

enum kind { OPENED = 1, USED, CLOSED, PEER, EXEC, FORK, EXIT, DATAGRAMS, COUNTED };
enum socket_flags { LISTENING = 1, KERNEL = 2, SHARED = 4, FIN_TAKEN = 8, TOTALED = 16, V6ONLY = 32, ACCEPTED = 64, FIRST = 128 };

/* One program in one life of a process: exec counts the programs that it and its ancestors became. start is nanoseconds
 * since boot, as time is everywhere here. */
struct process {
	u64 start, cgroup, exec;
	u32 tgid, ppid, uid, kthread;
	char comm[16];
};

/* Addresses of family 4 are in the first 4 bytes. */
struct tuple {
	u8 local[16] __attribute__((aligned(8))), remote[16] __attribute__((aligned(8)));
	u16 local_port, remote_port; /* host order */
	u8 family, protocol;
	u16 pad;
};

struct socket_record {
	u8 kind, flags;
	u8 multipath, pad; /* multipath: the socket that a program has of Multipath TCP, whose packets others carry */
	u32 netns; /* inode of the network namespace */
	u64 time, cookie, created;
	struct tuple tuple;
	struct process process;        /* OPENED, PEER: who made it; USED, CLOSED: its first user; tgid 0 = none */
	u64 tx, rx;                    /* bytes that the first user moved, by return values */
	u64 sent, retrans, received;   /* CLOSED with TOTALED: struct tcp_sock */
	u64 over;                      /* cookie of the socket of Multipath TCP that this one carries packets of, 0 = none */
};

/* What a socket sent and was sent as packets since the tracing began: payload, and packets with their bytes from the IP header
 * on, super-frames as one. */
#define INTERFACES 2
struct interface {
	u64 tx, rx;                    /* payload; whole datagrams; rx of what was for this host alone */
	u64 tx_packets, rx_packets, tx_ip, rx_ip; /* multicast and broadcast too */
};
struct datagrams {
	struct interface each[INTERFACES + 1]; /* the first that it used, and all others */
	u32 index[INTERFACES];         /* of those, in the socket's network namespace; 0 = none */
	u32 odd, pad;                  /* odd: packets or peers that these sums cannot be compared with */
	u64 group;                     /* multicast and broadcast: every socket that takes part counts it */
	u64 arrived, taken;            /* datagrams that came as packets, and that programs received */
	u64 sent, received;            /* by the return values of system calls, of all users */
	u64 dropped, dropped_bytes;    /* for which the receive buffer had no room; Linux 6.10 */
};

/* CLOSED of a socket that had packets comes as DATAGRAMS; COUNTED is of one that is open. Of a TCP socket each, index and
 * arrived are counted. */
struct datagrams_record {
	struct socket_record socket;
	struct datagrams datagrams;
};

#define COMPONENTS 20
#define COMPONENT 64
#define ARGUMENTS 512
#define FILENAME 256

struct process_record {
	u8 kind, pad;
	u16 components;                /* EXEC: how many of path, leaf first, empty ones between; 0 = unknown */
	u32 argument_bytes;            /* EXEC */
	u64 time;
	struct process process;        /* FORK: the child */
	u64 parent_start;              /* FORK */
	u32 parent, pad2;              /* FORK */
};

struct exec_record {
	struct process_record head;
	char filename[FILENAME];       /* as given to execve(2) */
	char arguments[ARGUMENTS];
	char path[COMPONENTS][COMPONENT];
};
