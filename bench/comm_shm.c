/* SPDX-License-Identifier: MIT */
/*
 * comm_shm.c - two all-reduces through shared memory, like those of CPU inference engines, written anew:
 *   oneshot  every rank copies its data to a slot, and every rank sums all slots, for any size
 *   twoshot  the same, but each rank sums one share of all slots and the others copy it from there
 * Data go in chunks through two halves of each slot. A rank that fills a half knows, from the stamps of the chunk
 * before, that no rank reads its older contents. Ranks wait by spinning, without a deadline.
 */
#include "comm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inputs.h"
#include "mmarn/mmarn.h"

/* Bytes of a half, and floats that are summed at a time. */
enum { ONE_SHOT_BYTES = 2 << 20, TWO_SHOT_BYTES = 16 << 20, PIECE = 2048 };

struct stamps {
    _Alignas(128) atomic_uint filled;
    _Alignas(128) atomic_uint summed;
};

static struct {
    int rank, world;
    bool two_shot;
    int64_t half; /* bytes */
    unsigned chunk;
    struct stamps *stamps;
    char *slots;
    size_t size;
} shm;

bool comm_start(struct member *member, const char *variant)
{
    const char *path = getenv("BENCH_SHARED");
    const int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    const size_t head = sizeof(struct stamps) * CONTROL_RANKS;
    void *memory;

    shm.rank = member->rank;
    shm.world = member->world;
    shm.two_shot = strcmp(variant, "twoshot") == 0;
    shm.half = shm.two_shot ? TWO_SHOT_BYTES : ONE_SHOT_BYTES;
    shm.size = head + (size_t)shm.half * 2 * (size_t)shm.world;
    if (file < 0 || ftruncate(file, (off_t)shm.size) != 0)
        return control_fail(member, "there is no shared memory");
    memory = mmap(NULL, shm.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED)
        return control_fail(member, "the shared memory cannot be mapped");
    shm.stamps = memory;
    shm.slots = (char *)memory + head;
    return true;
}

bool comm_carries(int32_t dtype)
{
    (void)dtype;
    return true;
}

static char *slot(int rank)
{
    return shm.slots + ((int64_t)rank * 2 + shm.chunk % 2) * shm.half;
}

/* Waits until every rank's stamp has reached this chunk; pairs with the release in stamp(). */
static void wait_all(bool summed)
{
    for (int rank = 0; rank < shm.world; rank++) {
        const atomic_uint *stamp = summed ? &shm.stamps[rank].summed : &shm.stamps[rank].filled;
        while ((int)(atomic_load_explicit(stamp, memory_order_acquire) - shm.chunk) < 0)
#if defined(__x86_64__)
            __builtin_ia32_pause();
#else
            atomic_signal_fence(memory_order_seq_cst);
#endif
    }
}

static void stamp(atomic_uint *mine)
{
    atomic_store_explicit(mine, shm.chunk, memory_order_release); /* pairs with the load in wait_all */
}

/* Sums elements first .. first + count - 1 of all slots, in the order of ranks, in fp32. */
static void sum(int32_t dtype, int64_t size, int64_t first, int64_t count, char *out)
{
    float total[PIECE], one[PIECE];

    for (int64_t done = 0; done < count; done += PIECE) {
        const int64_t some = count - done < PIECE ? count - done : PIECE;
        const int64_t at = (first + done) * size;
        inputs_to_f32(dtype, slot(0) + at, total, some);
        for (int rank = 1; rank < shm.world; rank++) {
            const float *terms = (const float *)(const void *)(slot(rank) + at);
            if (dtype != MMARN_F32) {
                inputs_to_f32(dtype, slot(rank) + at, one, some);
                terms = one;
            }
            for (int64_t i = 0; i < some; i++)
                total[i] += terms[i];
        }
        inputs_from_f32(dtype, total, out + done * size, some);
    }
}

static void reduce_chunk(char *data, int32_t dtype, int64_t size, int64_t count)
{
    const int64_t share = (count + shm.world - 1) / shm.world;

    shm.chunk++;
    memcpy(slot(shm.rank), data, (size_t)(count * size));
    stamp(&shm.stamps[shm.rank].filled);
    wait_all(false);
    if (!shm.two_shot) {
        sum(dtype, size, 0, count, data);
        return;
    }
    const int64_t first = share * shm.rank < count ? share * shm.rank : count;
    const int64_t own = count - first < share ? count - first : share;
    sum(dtype, size, first, own, slot(shm.rank) + first * size);
    stamp(&shm.stamps[shm.rank].summed);
    wait_all(true);
    for (int rank = 0; rank < shm.world; rank++) {
        const int64_t start = share * rank < count ? share * rank : count;
        const int64_t theirs = count - start < share ? count - start : share;
        memcpy(data + start * size, slot(rank) + start * size, (size_t)(theirs * size));
    }
}

bool comm_all_reduce(void *data, int32_t dtype, int64_t count)
{
    const int64_t size = dtype == MMARN_F32 ? 4 : 2, most = shm.half / size;

    if (shm.world == 1)
        return true;
    for (int64_t done = 0; done < count; done += most)
        reduce_chunk((char *)data + done * size, dtype, size, count - done < most ? count - done : most);
    return true;
}

void comm_stop(void)
{
    if (shm.stamps != NULL)
        munmap(shm.stamps, shm.size);
}

void comm_describe(char *text, int size)
{
    snprintf(text, (size_t)size, "%s through shared memory", shm.two_shot ? "two-shot" : "one-shot");
}
