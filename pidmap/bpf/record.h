/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What ownership.bpf.c writes to the ring; decode.go reads it. Native byte order, no padding but what is named. */
#pragma once

enum kind { OPENED = 1, USED, CLOSED, PEER, EXEC, FORK, EXIT };
enum socket_flags { LISTENING = 1, KERNEL = 2, SHARED = 4, FIN_TAKEN = 8, COUNTED = 16, V6ONLY = 32, ACCEPTED = 64, FIRST = 128 };

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
	u16 pad;
	u32 netns; /* inode of the network namespace */
	u64 time, cookie, created;
	struct tuple tuple;
	struct process process;        /* OPENED, PEER: who made it; USED, CLOSED: its first user; tgid 0 = none */
	u64 tx, rx;                    /* bytes that the first user moved, by return values */
	u64 sent, retrans, received;   /* CLOSED with COUNTED: struct tcp_sock */
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
