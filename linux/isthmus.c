// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows between guests for user mode: the misc device /dev/isthmus (isthmus_ioctl.h).
 *
 * The owner's side. Memory of a process is opened by its virtual addresses, checked as user mode's
 * (ASU), so the peer's hart walks the tables that the process itself runs on. Those must not change
 * under it: all pages are pinned for long, so that the kernel does not move, merge or reclaim them,
 * and an interval notifier drops the window before the process's own doing (munmap, mprotect, exit,
 * ...) reaches the tables. ig.drop returns when no hart uses the window any more, which is what
 * a notifier must wait for; it needs no address space of its own, so any context may execute it.
 *
 * The peer's side. ig.bind binds the address space in satp, which in a system call is the caller's.
 * The comparison that instructions make later is of MODE and root page; ASIDs, which the kernel
 * hands out anew when it runs out of them, have no part in it. What must not happen is that the
 * root page serves another address space while it is bound: an mm notifier unbinds when the address
 * space ends (exit, exec), and holds the mm, and with it the root page, until it has.
 *
 * A window is used through one file at a time. Handles are asked for when they are needed: they
 * change when the guest at the other end restarts, and what was open or bound is not any more then.
 */
#include <linux/cleanup.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include <asm/sbi.h>

#include "ig.h"
#include "isthmus_ioctl.h"
#include "isthmus_sbi.h"

struct window {
	u32 index;
	bool owner; /* else peer */
	char with[32];

	struct mutex lock; /* of what follows */
	struct file *user; /* through which it is open or bound; NULL: none */
	struct mm_struct *mm;
	u32 handle; /* under which it is open or bound */

	/* of the owner */
	struct mmu_interval_notifier range;
	spinlock_t range_lock; /* ig.store against the notifier's ig.drop */
	struct page **pages;
	unsigned long page_count;
	bool writable;

	/* of the peer */
	struct mmu_notifier end;
};

/** What the machine has; one, made by probe. */
struct isthmus {
	struct miscdevice misc;
	u32 count;
	struct window windows[] __counted_by(count);
};

static struct isthmus *isthmus_of(struct file *file)
{
	return container_of(file->private_data, struct isthmus, misc);
}

static int error_of(s64 status)
{
	switch (status) {
	case IG_DENIED:
		return -ENOENT; /* the other guest went: there is no such window now */
	case IG_RANGE:
		return -ERANGE;
	case IG_REMOTE_FAULT:
		return -EFAULT;
	case IG_NOT_RESIDENT:
		return -EAGAIN;
	case IG_BUSY:
		return -EBUSY;
	case IG_CEILING:
		return -EPERM;
	default:
		return status < 0 ? -EIO : 0;
	}
}

/*
 * The owner
 */

/* Tables under the window are about to change. */
static bool range_invalidate(struct mmu_interval_notifier *range,
			     const struct mmu_notifier_range *what, unsigned long seq)
{
	struct window *w = container_of(range, struct window, range);

	/* fork() write-protects what it will copy later. Pinned pages it copies at once. */
	if (what->event == MMU_NOTIFY_PROTECTION_PAGE)
		return true;
	spin_lock(&w->range_lock);
	mmu_interval_set_seq(range, seq);
	ig_drop(w->handle);
	spin_unlock(&w->range_lock);
	return true;
}

static const struct mmu_interval_notifier_ops range_ops = {
	.invalidate = range_invalidate,
};

static void unpin(struct window *w, unsigned long pinned)
{
	unpin_user_pages_dirty_lock(w->pages, pinned, w->writable);
}

static int pin(struct window *w, unsigned long start)
{
	unsigned int flags = FOLL_LONGTERM | (w->writable ? FOLL_WRITE : 0);
	unsigned long done = 0;

	while (done < w->page_count) {
		int batch = min(w->page_count - done, 1024ul);
		int n = pin_user_pages_fast(start + done * PAGE_SIZE, batch, flags,
					    w->pages + done);

		if (n <= 0) {
			unpin(w, done);
			return n ? n : -EFAULT;
		}
		done += n;
		if (fatal_signal_pending(current)) {
			unpin(w, done);
			return -EINTR;
		}
	}
	return 0;
}

/* Opens the range with its pages pinned and mapped; again, where the tables changed meanwhile. */
static int pin_and_store(struct window *w, const struct isthmus_open *open, unsigned long start)
{
	u64 flags = IGS_ASU | IGS_ZB | (open->rights & ISTHMUS_READ ? IGS_R : 0) |
		    (open->rights & ISTHMUS_WRITE ? IGS_W : 0);
	unsigned long seq;
	s64 status;
	int error;

	for (;;) {
		seq = mmu_interval_read_begin(&w->range);
		error = pin(w, start);
		if (error)
			return error;
		spin_lock(&w->range_lock);
		if (!mmu_interval_read_retry(&w->range, seq))
			break;
		spin_unlock(&w->range_lock);
		unpin(w, w->page_count);
	}
	status = ig_store(w->handle, open->address, open->length, flags);
	spin_unlock(&w->range_lock);
	if (status)
		unpin(w, w->page_count);
	return error_of(status);
}

static void forget_pages(struct window *w)
{
	kvfree(w->pages);
	w->pages = NULL;
	account_locked_vm(w->mm, w->page_count, false);
}

static int open_window(struct window *w, const struct isthmus_open *open)
{
	unsigned long start = open->address & PAGE_MASK;
	u64 end;
	int error;

	if (!open->rights || open->rights & ~(ISTHMUS_READ | ISTHMUS_WRITE))
		return -EINVAL;
	if (!open->length || check_add_overflow(open->address, open->length, &end) ||
	    end > TASK_SIZE)
		return -EINVAL;
	w->mm = current->mm;
	w->handle = ig_query(w->index, IGQ_HANDLE);
	if (!w->handle)
		return -ENOENT; /* the other guest is not there */
	if (open->length > ig_query(w->index, IGQ_MAX_LEN))
		return -ERANGE;
	w->writable = open->rights & ISTHMUS_WRITE;
	w->page_count = (PAGE_ALIGN(end) - start) / PAGE_SIZE;
	error = account_locked_vm(w->mm, w->page_count, true);
	if (error)
		return error;
	w->pages = kvcalloc(w->page_count, sizeof(*w->pages), GFP_KERNEL_ACCOUNT);
	error = -ENOMEM;
	if (!w->pages)
		goto forget;
	error = mmu_interval_notifier_insert(&w->range, w->mm, start, w->page_count * PAGE_SIZE,
					     &range_ops);
	if (error)
		goto forget;
	error = pin_and_store(w, open, start);
	if (!error)
		return 0;
	mmu_interval_notifier_remove(&w->range);
forget:
	forget_pages(w);
	return error;
}

static void close_window(struct window *w)
{
	struct mm_struct *mm = w->mm;

	ig_drop(w->handle);
	mmgrab(mm); /* the notifier's hold on it goes first */
	mmu_interval_notifier_remove(&w->range);
	unpin(w, w->page_count);
	forget_pages(w);
	mmdrop(mm);
}

/*
 * The peer
 */

static void space_ends(struct mmu_notifier *end, struct mm_struct *mm)
{
	ig_bind(container_of(end, struct window, end)->handle, 0);
}

static const struct mmu_notifier_ops end_ops = {
	.release = space_ends,
};

static int bind_window(struct window *w)
{
	int error;

	w->mm = current->mm;
	w->handle = ig_query(w->index, IGQ_HANDLE);
	w->end.ops = &end_ops;
	error = mmu_notifier_register(&w->end, w->mm);
	if (error)
		return error;
	error = error_of(ig_bind(w->handle, 1));
	if (error)
		mmu_notifier_unregister(&w->end, w->mm);
	return error;
}

static void unbind_window(struct window *w)
{
	mmu_notifier_unregister(&w->end, w->mm); /* ends it by space_ends(), if that was not yet */
}

/*
 * The device
 */

static struct window *find_window(struct file *file, u64 number)
{
	struct isthmus *isthmus = isthmus_of(file);

	return number < isthmus->count ? &isthmus->windows[number] : NULL;
}

static void end_use(struct window *w)
{
	if (w->owner)
		close_window(w);
	else
		unbind_window(w);
	w->user = NULL;
	w->mm = NULL;
}

static long describe(struct file *file, void __user *argument)
{
	struct isthmus_window out;
	struct window *w;
	u64 role;

	if (copy_from_user(&out, argument, sizeof(out)))
		return -EFAULT;
	w = find_window(file, out.number);
	if (!w)
		return -ENOENT;
	role = ig_query(w->index, IGQ_ROLE);
	out.index = w->index;
	out.handle = ig_query(w->index, IGQ_HANDLE);
	out.state = w->owner ? ISTHMUS_OWNER : ISTHMUS_PEER;
	out.state |= (role & IGC_CU ? ISTHMUS_USER : 0) | (role & IGC_BOUND ? ISTHMUS_BOUND : 0);
	if (role & IGC_OPEN)
		out.state |= ISTHMUS_OPEN | (role & IGC_R ? ISTHMUS_READ : 0) |
			     (role & IGC_W ? ISTHMUS_WRITE : 0);
	else
		out.state |= (role & IGC_CR ? ISTHMUS_READ : 0) |
			     (role & IGC_CW ? ISTHMUS_WRITE : 0);
	out.length = ig_query(w->index, role & IGC_OPEN ? IGQ_LEN : IGQ_MAX_LEN);
	strscpy_pad(out.with, w->with);
	return copy_to_user(argument, &out, sizeof(out)) ? -EFAULT : 0;
}

/* Begins to use the window through @file: as its owner when @open is there, else as its peer. */
static long begin_use(struct file *file, u64 number, const struct isthmus_open *open)
{
	struct window *w = find_window(file, number);
	int error;

	if (!w)
		return -ENOENT;
	if (w->owner != !!open)
		return -EPERM;
	guard(mutex)(&w->lock);
	if (w->user)
		return -EBUSY;
	error = open ? open_window(w, open) : bind_window(w);
	if (!error)
		w->user = file;
	return error;
}

static long ask_end_use(struct file *file, u64 number, bool owner)
{
	struct window *w = find_window(file, number);

	if (!w)
		return -ENOENT;
	guard(mutex)(&w->lock);
	if (w->user != file || w->owner != owner)
		return -EPERM;
	end_use(w);
	return 0;
}

static long open_by_user(struct file *file, void __user *argument)
{
	struct isthmus_open open;

	if (copy_from_user(&open, argument, sizeof(open)))
		return -EFAULT;
	return begin_use(file, open.number, &open);
}

static long make_resident(struct file *file, void __user *argument)
{
	struct isthmus_resident r;
	struct sbiret ret;
	struct window *w;

	if (copy_from_user(&r, argument, sizeof(r)))
		return -EFAULT;
	w = find_window(file, r.number);
	if (!w || r.reserved)
		return w ? -EINVAL : -ENOENT;
	guard(mutex)(&w->lock);
	if (w->user != file || w->owner || w->mm != current->mm)
		return -EPERM;
	ret = sbi_ecall(ISTHMUS_EID, ISTHMUS_RESIDENT, w->handle, r.remote, r.length, 0, 0, 0);
	return ret.error ? sbi_err_map_linux_errno(ret.error) : error_of(ret.value);
}

static long count_exits(void __user *argument)
{
	struct isthmus_exits out;
	struct sbiret ret;

	if (copy_from_user(&out, argument, sizeof(out)))
		return -EFAULT;
	if (out.reserved)
		return -EINVAL;
	ret = sbi_ecall(ISTHMUS_EID, ISTHMUS_EXITS, out.class, 0, 0, 0, 0, 0);
	if (ret.error)
		return sbi_err_map_linux_errno(ret.error);
	out.count = ret.value;
	return copy_to_user(argument, &out, sizeof(out)) ? -EFAULT : 0;
}

static long isthmus_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *user = (void __user *)argument;

	switch (command) {
	case ISTHMUS_IOC_WINDOW:
		return describe(file, user);
	case ISTHMUS_IOC_OPEN:
		return open_by_user(file, user);
	case ISTHMUS_IOC_CLOSE:
		return ask_end_use(file, argument, true);
	case ISTHMUS_IOC_BIND:
		return begin_use(file, argument, NULL);
	case ISTHMUS_IOC_UNBIND:
		return ask_end_use(file, argument, false);
	case ISTHMUS_IOC_RESIDENT:
		return make_resident(file, user);
	case ISTHMUS_IOC_EXITS:
		return count_exits(user);
	default:
		return -ENOTTY;
	}
}

static int isthmus_release(struct inode *inode, struct file *file)
{
	struct isthmus *isthmus = isthmus_of(file);

	for (u32 i = 0; i < isthmus->count; i++) {
		struct window *w = &isthmus->windows[i];

		guard(mutex)(&w->lock);
		if (w->user == file)
			end_use(w);
	}
	return 0;
}

static const struct file_operations isthmus_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = isthmus_ioctl,
	.release = isthmus_release,
};

static int read_window(struct device_node *node, struct window *w)
{
	const char *role, *with;

	if (of_property_read_u32(node, "index", &w->index) ||
	    of_property_read_string(node, "role", &role) ||
	    of_property_read_string(node, "with", &with))
		return -EINVAL;
	w->owner = !strcmp(role, "owner");
	strscpy(w->with, with);
	mutex_init(&w->lock);
	spin_lock_init(&w->range_lock);
	return 0;
}

static int isthmus_probe(struct platform_device *device)
{
	struct device_node *root = device->dev.of_node;
	u32 count = of_get_child_count(root), n = 0;
	struct isthmus *isthmus;
	int error;

	if (!of_property_read_bool(root, "instructions"))
		return dev_err_probe(&device->dev, -ENODEV, "this machine lacks Xisthmus\n");
	isthmus = devm_kzalloc(&device->dev, struct_size(isthmus, windows, count), GFP_KERNEL);
	if (!isthmus)
		return -ENOMEM;
	isthmus->count = count;
	for_each_child_of_node_scoped(root, node) {
		if (!of_node_name_eq(node, "window"))
			continue;
		error = read_window(node, &isthmus->windows[n]);
		if (error)
			return dev_err_probe(&device->dev, error, "%pOF is malformed\n", node);
		n++;
	}
	isthmus->count = n;
	isthmus->misc = (struct miscdevice){
		.minor = MISC_DYNAMIC_MINOR,
		.name = "isthmus",
		.mode = 0600,
		.fops = &isthmus_fops,
		.parent = &device->dev,
	};
	platform_set_drvdata(device, isthmus);
	return misc_register(&isthmus->misc);
}

static void isthmus_remove(struct platform_device *device)
{
	struct isthmus *isthmus = platform_get_drvdata(device);

	misc_deregister(&isthmus->misc);
}

static const struct of_device_id isthmus_ids[] = {
	{ .compatible = "isthmus,windows" },
	{}
};
MODULE_DEVICE_TABLE(of, isthmus_ids);

static struct platform_driver isthmus_driver = {
	.probe = isthmus_probe,
	.remove = isthmus_remove,
	.driver = {
		.name = "isthmus",
		.of_match_table = isthmus_ids,
		.suppress_bind_attrs = true, /* files hold the module, which holds the device */
	},
};
module_platform_driver(isthmus_driver);

MODULE_DESCRIPTION("Windows between guests for user mode");
MODULE_LICENSE("GPL");
