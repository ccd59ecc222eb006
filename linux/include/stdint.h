/* SPDX-License-Identifier: GPL-2.0-only */
/* For ig.h inside of the kernel, whose own types these are. */
#include <linux/types.h>
