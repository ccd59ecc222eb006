/* SPDX-License-Identifier: MIT */
/* The README's example: two guests from one program, one opens a window, the other uses it. */
#include "kernel.h"

static char letter[4096] __attribute__((aligned(4096))) = "Hello from the owner's memory.";

int guest_main(struct guest *g)
{
    char text[64] = "", reply[] = "And back.";
    uint64_t own = window_find(g, "owner", "peer", 0), use = window_find(g, "peer", "owner", 0);

    if (own != NO_WINDOW) {
        uint32_t handle = (uint32_t)ig_query(own, IGQ_HANDLE);
        ig_store(handle, (uint64_t)letter, sizeof(letter), IGS_R | IGS_W | IGS_ZB);
        while (*(volatile char *)letter == 'H') /* until the peer writes over it */
            guest_sleep(g, 1000);
        ig_drop(handle);
        say("the peer wrote: %s\n", letter);
    } else {
        while (!(ig_query(use, IGQ_ROLE) & IGC_OPEN))
            guest_sleep(g, 1000);
        uint32_t handle = (uint32_t)ig_query(use, IGQ_HANDLE);
        ig_get(handle, 0, text, sizeof(text)); /* from offset 0 of the window, to our own address */
        say("the owner says: %s\n", text);
        ig_put(handle, 0, reply, sizeof(reply));
    }
    return 0;
}
