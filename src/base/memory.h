/* SPDX-License-Identifier: MIT */
/*
 * memory.h - aligned memory for weights and scratch. Large blocks ask for huge pages, because packed weights are read
 * end to end once per step, and 4 KiB pages would cost a TLB miss every 4 KiB.
 */
#ifndef MMARN_BASE_MEMORY_H
#define MMARN_BASE_MEMORY_H

#include <stddef.h>

/* 64-byte aligned, zeroed; NULL when memory is short, or the size overflows. Freed by memory_free. */
void *memory_alloc(size_t count, size_t size);
void memory_free(void *block);

#endif
