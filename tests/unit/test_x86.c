/* SPDX-License-Identifier: MIT */
/* The translator's assembler where it runs out of room. What instructions it makes is tested by the
 * translations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jit/x86.h"

enum { OTHERS = 0x5a };

/* A jump of one part of the buffer is told its target when another part, with room left, is written
 * to. What stands in front of it is another translation's. */
static void a_jump_without_room_changes_nothing_before_it(void **state)
{
    static uint8_t hot[64], rare[64], before[64];
    volatile size_t rooms = 6; /* or the compiler warns of each length that cannot be */

    (void)state;
    for (size_t room = 0; room <= rooms; room++) {
        struct asm_ h = {.at = hot + 8, .end = hot + 8 + room}, r = {.at = rare, .end = rare + 64};
        fixup f[3];

        memset(hot, OTHERS, sizeof(hot));
        memcpy(before, hot, sizeof(hot));
        f[0] = jmp(&h);
        f[1] = jcc(&h, CC_E);
        f[2] = call(&h);
        for (unsigned i = 0; i < 3; i++)
            patch_here(&r, f[i]);
        assert_memory_equal(hot, before, 8);
        assert_memory_equal(hot + 8 + room, before, 56 - room);
        assert_true(asm_full(&h));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jump_without_room_changes_nothing_before_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
