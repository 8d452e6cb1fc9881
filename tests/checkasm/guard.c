/* SPDX-License-Identifier: MIT */
/*
 * guard.c - a few arenas with unreadable pages on both sides, set up once. A read or write one byte outside a place
 * that touches the edge ends the program at that instruction.
 */
#include "checkasm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 65536 /* a multiple of every page size in use */, ARENA = 64 * PAGE, MARGIN = 256 };

static struct {
    unsigned char *base; /* of the readable pages */
    unsigned char *margin;
} slots[GUARD_SLOTS];

static void open_slot(int slot)
{
    unsigned char *all = mmap(NULL, ARENA + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all, PAGE, PROT_NONE) || mprotect(all + PAGE + ARENA, PAGE, PROT_NONE)) {
        perror("checkasm: guard pages");
        exit(2);
    }
    slots[slot].base = all + PAGE;
}

void *guard_place(int slot, size_t bytes, bool at_end)
{
    if (!slots[slot].base)
        open_slot(slot);
    if (bytes + MARGIN > ARENA) {
        fprintf(stderr, "checkasm: guard arena too small for %zu bytes\n", bytes);
        exit(2);
    }
    unsigned char *base = slots[slot].base;
    unsigned char *start = at_end ? base + ARENA - bytes : base;
    slots[slot].margin = at_end ? start - MARGIN : start + bytes;
    memset(at_end ? start - MARGIN : start, GUARD_FILL, bytes + MARGIN);
    return start;
}

bool guard_intact(int slot)
{
    return guard_filled(slots[slot].margin, MARGIN);
}

bool guard_filled(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++)
        if (at[i] != GUARD_FILL)
            return false;
    return true;
}
