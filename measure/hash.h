/* SPDX-License-Identifier: MIT */
/* hash.h - FNV-1a, eight bytes at a time: the hash almost certainly differs if a bit of the bytes does. */
#ifndef MMARN_MEASURE_HASH_H
#define MMARN_MEASURE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* Continues from the hash of the bytes before, or from HASH_START. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count);

#endif
