/* SPDX-License-Identifier: MIT */
/* The memory of the code buffer, and what perf is told of it. */
#include "jit/jit_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; older C libraries do not have it */
#endif
enum { LARGE_PAGE = 2 << 20, MUCH_CODE = 16 << 20 };

/* Room for the buffer where large pages may begin. MAP_FAILED: none. */
static uint8_t *reserve(size_t size)
{
    size_t more = size + LARGE_PAGE;
    uint8_t *all = mmap(NULL, more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t before = -(uintptr_t)all % LARGE_PAGE;

    if (all == MAP_FAILED)
        return all;
    if (before)
        munmap(all, before);
    munmap(all + before + size, more - before - size);
    return all + before;
}

/* The same memory twice: written through one view, executed through the other, so that no page is
 * ever both. It is anonymous: only there perf looks into its map of names. */
int jit_map_buffer(struct jit *jit)
{
    enum { MAP = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED };

    jit->write = reserve(jit->size);
    if (jit->write == MAP_FAILED)
        return -errno;
    jit->exec = reserve(jit->size);
    if (jit->exec == MAP_FAILED)
        return -errno;
    if (mmap(jit->write, jit->size, PROT_READ | PROT_WRITE, MAP, -1, 0) == MAP_FAILED)
        return -errno;
    /* Of length 0: a second view of shared pages (mremap(2)). */
    if (mremap(jit->write, 0, jit->size, MREMAP_MAYMOVE | MREMAP_FIXED, jit->exec) == MAP_FAILED ||
        mprotect(jit->exec, jit->size, PROT_READ | PROT_EXEC))
        return -errno;
    return 0;
}

void jit_unmap_buffer(struct jit *jit)
{
    if (jit->write && jit->write != MAP_FAILED)
        munmap(jit->write, jit->size);
    if (jit->exec && jit->exec != MAP_FAILED)
        munmap(jit->exec, jit->size);
    if (jit->perf_map)
        fclose(jit->perf_map);
}

static void use_large_page(struct jit *jit, size_t at)
{
    if (jit->no_large_pages)
        return;
    /* A kernel without it says so each time; one without such a page now, once. */
    if (madvise(jit->write + at, LARGE_PAGE, MADV_COLLAPSE) ||
        madvise(jit->exec + at, LARGE_PAGE, MADV_COLLAPSE))
        jit->no_large_pages = errno == EINVAL;
}

/* Programs with much code wait for the host's instruction TLB; a kernel that starts has less than
 * such pages cost. Once there is much, each page that is full becomes a large one, and takes one
 * along of those that were full before. */
void jit_use_large_pages(struct jit *jit, size_t start, size_t from, size_t to)
{
    size_t first = start / LARGE_PAGE * LARGE_PAGE, full = from / LARGE_PAGE * LARGE_PAGE;

    if (to / LARGE_PAGE == from / LARGE_PAGE || full - first < MUCH_CODE)
        return;
    if (full - first < 2 * MUCH_CODE)
        use_large_page(jit, full - MUCH_CODE);
    use_large_page(jit, full);
}

size_t jit_bytes_used(const struct jit *jit)
{
    return jit->code - jit->code_start + jit->rare - jit->rare_start + jit->size - jit->data;
}

void jit_open_perf_map(struct jit *jit)
{
    char path[64];

    snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
    jit->perf_map = fopen(path, "we");
    if (!jit->perf_map)
        log_warn(jit->log, "cannot write %s: %s", path, strerror(errno));
    else
        fprintf(jit->perf_map, "%lx %lx isthmus_thunks\n", (unsigned long)(uintptr_t)jit->exec,
                (unsigned long)jit->code_start);
}

void jit_note_for_perf(struct jit *jit, const struct trans *t)
{
    const uint8_t *rare = jit->exec + jit->rare;
    unsigned long address = t->head->page->ppn << PAGE_SHIFT | t->head->off;

    if (!jit->perf_map)
        return;
    fprintf(jit->perf_map, "%lx %lx guest_%lx\n", (unsigned long)(uintptr_t)t->entry,
            (unsigned long)(asm_here(&t->a) - t->entry), address);
    fprintf(jit->perf_map, "%lx %lx guest_%lx_rare\n", (unsigned long)(uintptr_t)rare,
            (unsigned long)(asm_here(&t->other) - rare), address);
    fflush(jit->perf_map);
}
