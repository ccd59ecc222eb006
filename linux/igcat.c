// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data from a process of one guest to a process of another, through a window, by instructions in
 * user mode (docs/linux.md):
 *
 *   igcat list                     the windows of this guest
 *   igcat serve GUEST < FILE       opens it to that guest, until it has taken it
 *   igcat fetch GUEST > FILE       takes what that guest serves
 *
 * A page at the window's start says how many bytes follow. The one who took them puts that number
 * beside it and rings the bell there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ig.h"
#include "isthmus_ioctl.h"
#include "isthmus_sbi.h"

#define DATA_AT 4096

struct head {
	uint64_t length; /* 0: not filled in yet */
	uint64_t taken;
	uint64_t bell;
};

static int device;
static uint32_t bound; /* the window that this process bound */

static __attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("igcat: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	exit(1);
}

static bool describe(uint32_t number, struct isthmus_window *w)
{
	w->number = number;
	return ioctl(device, ISTHMUS_IOC_WINDOW, w) == 0;
}

static void find(const char *with, uint32_t role, struct isthmus_window *w)
{
	for (uint32_t n = 0; describe(n, w); n++)
		if (w->state & role && strcmp(w->with, with) == 0)
			return;
	die("no window %s %s", role == ISTHMUS_OWNER ? "for" : "of", with);
}

static void list(void)
{
	struct isthmus_window w;

	for (uint32_t n = 0; describe(n, &w); n++)
		printf("%u %s %s %s%s %llu%s%s%s\n", w.index,
		       w.state & ISTHMUS_OWNER ? "owner" : "peer", w.with,
		       w.state & ISTHMUS_READ ? "r" : "", w.state & ISTHMUS_WRITE ? "w" : "",
		       (unsigned long long)w.length, w.state & ISTHMUS_USER ? " user" : "",
		       w.state & ISTHMUS_OPEN ? " open" : "", w.state & ISTHMUS_BOUND ? " bound" : "");
}

static void *memory(uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die("%llu bytes of memory: %s", (unsigned long long)size, strerror(errno));
	return p;
}

static uint64_t read_all(char *to, uint64_t room)
{
	uint64_t n = 0;
	ssize_t got;

	while (n < room && (got = read(STDIN_FILENO, to + n, room - n)) != 0) {
		if (got < 0)
			die("reading: %s", strerror(errno));
		n += got;
	}
	if (n == room && read(STDIN_FILENO, &(char){0}, 1) > 0)
		die("the input is longer than the window (%llu bytes)", (unsigned long long)room);
	return n;
}

static void write_all(const char *from, uint64_t n)
{
	while (n) {
		ssize_t done = write(STDOUT_FILENO, from, n);

		if (done < 0)
			die("writing: %s", strerror(errno));
		from += done;
		n -= done;
	}
}

/* Opens it, as soon as the other guest is there. */
static void open_window(const struct isthmus_open *open)
{
	while (ioctl(device, ISTHMUS_IOC_OPEN, open)) {
		if (errno != ENOENT)
			die("opening the window: %s", strerror(errno));
		usleep(10000);
	}
}

static void serve(const char *with)
{
	struct isthmus_open open = {.rights = ISTHMUS_READ | ISTHMUS_WRITE};
	struct isthmus_window w;
	struct head *head;
	uint64_t n;

	find(with, ISTHMUS_OWNER, &w);
	if (w.length <= DATA_AT)
		die("the window is too small");
	head = memory(w.length);
	n = read_all((char *)head + DATA_AT, w.length - DATA_AT);
	head->length = n;
	open.number = w.number;
	open.address = (uintptr_t)head;
	open.length = DATA_AT + n;
	open_window(&open);
	while (!__atomic_load_n(&head->bell, __ATOMIC_ACQUIRE)) {
		usleep(1000);
		describe(w.number, &w);
		if (w.state & ISTHMUS_OPEN)
			continue;
		ioctl(device, ISTHMUS_IOC_CLOSE, w.number); /* the other guest has restarted */
		open_window(&open);
	}
	if (ioctl(device, ISTHMUS_IOC_CLOSE, w.number))
		die("closing the window: %s", strerror(errno));
	if (head->taken != n)
		die("%s took %llu bytes of %llu", with, (unsigned long long)head->taken,
		    (unsigned long long)n);
	fprintf(stderr, "igcat: %s took %llu bytes\n", with, (unsigned long long)n);
}

static int64_t resident(uint32_t handle, uint64_t remote, uint64_t length)
{
	struct isthmus_resident r = {.number = bound, .remote = remote, .length = length};

	(void)handle; /* the one of the window that is bound */
	return ioctl(device, ISTHMUS_IOC_RESIDENT, &r) ? IG_NOT_RESIDENT : 0;
}

static const struct ig_ops OPS = {
	.name = "instructions in user mode",
	.put = ig_put,
	.get = ig_get,
	.ring = ig_ring,
	.query = ig_query,
	.resident = resident,
};

static uint64_t exits(uint32_t class)
{
	struct isthmus_exits e = {.class = class};

	if (ioctl(device, ISTHMUS_IOC_EXITS, &e))
		die("counting exits: %s", strerror(errno));
	return e.count;
}

/* Time slices and interrupts of the host: not the transfer's. */
static uint64_t preemptions(void)
{
	return exits(ISTHMUS_EXITS_TIMER) + exits(ISTHMUS_EXITS_IPI);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void check(int64_t result, const char *what)
{
	static const char *const NAMES[] = {"DENIED", "RANGE",	"REMOTE_FAULT", "NOT_RESIDENT",
					    "BUSY",   "CEILING"};

	if (result < 0)
		die("%s: %s", what, result >= -6 ? NAMES[-result - 1] : "failed");
}

/* Gets the data and says how: exits between first and last byte are those of this vCPU, but for the
   five calls that count them. */
static void measured_get(uint32_t handle, char *to, uint64_t n)
{
	uint64_t all = exits(ISTHMUS_EXITS_ALL), preempted = preemptions();
	double start = now(), seconds;

	check(ig_get_all(&OPS, handle, DATA_AT, to, n), "getting the data");
	seconds = now() - start;
	preempted = preemptions() - preempted;
	all = exits(ISTHMUS_EXITS_ALL) - all;
	fprintf(stderr, "igcat: %llu bytes, %llu exits, %llu preemptions, %.0f MB/s\n",
		(unsigned long long)n, (unsigned long long)(all - preempted - 5),
		(unsigned long long)preempted, n / seconds / 1e6);
}

static void fetch(const char *with)
{
	struct isthmus_window w;
	struct head head;
	uint32_t handle;
	char *data;

	find(with, ISTHMUS_PEER, &w);
	while (!(w.state & ISTHMUS_OPEN)) {
		usleep(10000);
		describe(w.number, &w);
	}
	bound = w.number;
	if (ioctl(device, ISTHMUS_IOC_BIND, bound))
		die("binding the window: %s", strerror(errno));
	handle = ig_query(w.index, IGQ_HANDLE);
	check(ig_get_all(&OPS, handle, 0, &head, sizeof(head)), "getting the length");
	if (head.length > ig_query(w.index, IGQ_LEN) - DATA_AT)
		die("%s says more than it opened", with);
	data = memory(head.length + 1);
	measured_get(handle, data, head.length);
	check(ig_put_all(&OPS, handle, offsetof(struct head, taken), &head.length,
			 sizeof(head.length)), "putting the answer");
	check(ig_ring(handle, offsetof(struct head, bell)), "ringing");
	write_all(data, head.length);
}

int main(int argc, char **argv)
{
	device = open("/dev/isthmus", O_RDWR | O_CLOEXEC);
	if (device < 0)
		die("/dev/isthmus: %s", strerror(errno));
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		list();
	else if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "fetch") == 0)
		fetch(argv[2]);
	else
		die("usage: igcat list | igcat serve GUEST | igcat fetch GUEST");
	return 0;
}
