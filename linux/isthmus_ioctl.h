/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/isthmus: windows between guests for Linux processes (docs/linux.md).
 *
 * A process that owns memory opens it to the window's peer; a process of the peer binds the window,
 * and from then on puts, gets and rings by instructions in user mode (guest/include/ig.h), with no
 * system call. What a file descriptor opened or bound ends when it is closed, and when the process
 * that did it ends or executes another program.
 */
#ifndef ISTHMUS_IOCTL_H
#define ISTHMUS_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Bits of isthmus_window.state. */
#define ISTHMUS_OWNER (1u << 0)
#define ISTHMUS_PEER (1u << 1)
#define ISTHMUS_OPEN (1u << 2)  /* the owner has opened it */
#define ISTHMUS_READ (1u << 3)  /* the peer may get; before it is open: may be allowed to */
#define ISTHMUS_WRITE (1u << 4) /* the peer may put and ring; likewise */
#define ISTHMUS_USER (1u << 5)  /* the peer may bind it */
#define ISTHMUS_BOUND (1u << 6) /* to some process of the peer */

/** What is known of the window with the number @number, counted from 0. */
struct isthmus_window {
	__u32 number; /* in */
	__u32 index;  /* for ig.query */
	__u32 handle; /* for the instructions; 0: the other guest is not there */
	__u32 state;
	__u64 length; /* bytes that are open, or else that may be opened at most */
	char with[32]; /* the other guest's name */
};

/** Open [@address, @address + @length) of the calling process. Remote addresses count from 0. */
struct isthmus_open {
	__u32 number;
	__u32 rights; /* ISTHMUS_READ, ISTHMUS_WRITE */
	__u64 address;
	__u64 length;
};

/** Bring pages of the owner in after NOT_RESIDENT. */
struct isthmus_resident {
	__u32 number;
	__u32 reserved; /* 0 */
	__u64 remote;
	__u64 length;
};

/** How often the calling vCPU entered the hypervisor (isthmus_sbi.h). */
struct isthmus_exits {
	__u32 class; /* in */
	__u32 reserved; /* 0 */
	__u64 count;
};

#define ISTHMUS_IOC_WINDOW _IOWR('i', 0, struct isthmus_window)
#define ISTHMUS_IOC_OPEN _IOW('i', 1, struct isthmus_open)
#define ISTHMUS_IOC_CLOSE _IO('i', 2) /* argument: the window's number */
#define ISTHMUS_IOC_BIND _IO('i', 3)  /* likewise */
#define ISTHMUS_IOC_UNBIND _IO('i', 4)
#define ISTHMUS_IOC_RESIDENT _IOW('i', 5, struct isthmus_resident)
#define ISTHMUS_IOC_EXITS _IOWR('i', 6, struct isthmus_exits)

#endif
