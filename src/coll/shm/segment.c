/* SPDX-License-Identifier: MIT */
/*
 * segment.c - a rank's segment: its layout, the sealed memfd that holds it, and its mapping, once per process.
 *
 * The memfd has no name, so nothing is left behind. Its pages are allocated and its size is sealed before any rank maps
 * it, so a shortage is an error here, and no access can raise SIGBUS later. Ranks that are threads of one process share
 * one mapping, so that ThreadSanitizer sees one address for each word.
 */
#include "coll/shm/shm.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/error.h"

#define SEGMENT_MAGIC UINT64_C(0x746e656d6765734d)
/*
 * Spare buffers besides the one that each thread is filling. A rank that has run out of buffers for partials is woken
 * when half of them are free again (ring.c). Where ranks share a processor, each turn on it produces that many tiles.
 */
enum { SEGMENT_VERSION = 2, PARTIALS_SPARE = 11, SUMS_SPARE = 3 };
enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

/* The mappings of this process; there are few, so a list is enough. */
struct mapping {
    struct mapping *next;
    dev_t device;
    ino_t inode;
    void *address;
    size_t size;
    int users;
};
static pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER;
static struct mapping *mappings;

static int slots(enum coll_ring kind, int threads)
{
    return threads + (kind == COLL_PARTIALS ? PARTIALS_SPARE : SUMS_SPARE);
}

/* The stamps of a ring lie side by side, in cache lines of their own: one look shows several tiles. */
static size_t stamp_bytes(size_t slots)
{
    return (slots * sizeof(uint64_t) + SHM_LINE - 1) / SHM_LINE * SHM_LINE;
}

size_t shm_segment_size(int threads)
{
    assert(threads >= 1 && threads <= MMARN_MAX_THREADS);
    const size_t parts = (size_t)slots(COLL_PARTIALS, threads), sums = (size_t)slots(COLL_SUMS, threads);
    return sizeof(struct shm_header) + stamp_bytes(parts) + stamp_bytes(sums) +
           (parts + sums) * COLL_TILE_ELEMENTS * sizeof(float);
}

static void lay_out(void *address, int threads, struct shm_segment *segment)
{
    segment->header = address;
    char *at = (char *)(segment->header + 1);
    for (enum coll_ring kind = 0; kind < COLL_RINGS; kind++) {
        segment->rings[kind].count = slots(kind, threads);
        segment->rings[kind].stamps = (_Atomic uint64_t *)(void *)at;
        at += stamp_bytes((size_t)segment->rings[kind].count);
    }
    for (enum coll_ring kind = 0; kind < COLL_RINGS; kind++) {
        segment->rings[kind].data = (float *)(void *)at;
        at += (size_t)segment->rings[kind].count * COLL_TILE_ELEMENTS * sizeof(float);
    }
}

static bool is_segment_of(const struct shm_header *header, const uint8_t *nonce, int rank)
{
    /* Pairs with the store in shm_segment_create. */
    return atomic_load(&header->magic) == SEGMENT_MAGIC && header->version == SEGMENT_VERSION && header->rank == rank &&
           !memcmp(header->nonce, nonce, COLL_NONCE_SIZE);
}

static struct mapping *find_locked(const struct stat *file)
{
    struct mapping *mapping = mappings;
    while (mapping && (mapping->device != file->st_dev || mapping->inode != file->st_ino))
        mapping = mapping->next;
    return mapping;
}

static struct mapping *map_locked(int memfd, const struct stat *file)
{
    struct mapping *mapping = malloc(sizeof *mapping);
    if (!mapping)
        return NULL;
    *mapping = (struct mapping){mappings, file->st_dev, file->st_ino, NULL, (size_t)file->st_size, 0};
    mapping->address = mmap(NULL, mapping->size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    if (mapping->address == MAP_FAILED) {
        free(mapping);
        return NULL;
    }
    mappings = mapping;
    return mapping;
}

/* Maps the file, or finds its mapping. */
static void *acquire(int memfd, const struct stat *file, bool *shared)
{
    pthread_mutex_lock(&mappings_lock);
    struct mapping *mapping = find_locked(file);
    *shared = mapping != NULL;
    if (!mapping)
        mapping = map_locked(memfd, file);
    if (mapping)
        mapping->users++;
    pthread_mutex_unlock(&mappings_lock);
    return mapping ? mapping->address : NULL;
}

static void release(void *address)
{
    pthread_mutex_lock(&mappings_lock);
    struct mapping **link = &mappings;
    while (*link && (*link)->address != address)
        link = &(*link)->next;
    struct mapping *mapping = *link;
    if (mapping && !--mapping->users) {
        *link = mapping->next;
        munmap(mapping->address, mapping->size);
        free(mapping);
    }
    pthread_mutex_unlock(&mappings_lock);
}

/* The limit counts for memfds too. A process that exceeds it is sent SIGXFSZ, which ends most programs. */
static bool check_file_limit(int rank, size_t size, struct error *error)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= size)
        return true;
    return error_fail(
        error, MMARN_ERR_MEMORY,
        "rank %d's segment has %zu bytes but this process's files may have %llu (RLIMIT_FSIZE, ulimit -f)", rank, size,
        (unsigned long long)limit.rlim_cur);
}

/* A sealed memfd of the right size, with its pages. -1: see *error. */
static int create_memfd(int rank, size_t size, struct error *error)
{
    if (!check_file_limit(rank, size, error))
        return -1;
    int memfd = descriptor_off_stdio(memfd_create("mmarn", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (memfd < 0) {
        error_fail_errno(error, "memfd_create failed for rank %d's segment", rank);
        return -1;
    }
    int code;
    do
        code = posix_fallocate(memfd, 0, (off_t)size);
    while (code == EINTR);
    if (code == ENOSPC || code == ENOMEM)
        error_fail(error, MMARN_ERR_MEMORY, "no shared memory for rank %d's segment of %zu bytes", rank, size);
    else if (code) {
        errno = code;
        error_fail_errno(error, "posix_fallocate failed for rank %d's segment of %zu bytes", rank, size);
    } else if (fcntl(memfd, F_ADD_SEALS, SEALS) < 0)
        error_fail_errno(error, "rank %d's segment could not be sealed", rank);
    else
        return memfd;
    close(memfd);
    return -1;
}

bool shm_segment_create(const struct coll_options *options, int *memfd, struct shm_segment *segment,
                        struct error *error)
{
    size_t size = shm_segment_size(options->threads);
    int created = create_memfd(options->rank, size, error);
    if (created < 0)
        return false;
    struct stat file;
    bool shared;
    void *address = fstat(created, &file) < 0 ? NULL : acquire(created, &file, &shared);
    if (!address) {
        error_fail_errno(error, "rank %d's segment of %zu bytes could not be mapped", options->rank, size);
        close(created);
        return false;
    }
    lay_out(address, options->threads, segment);
    struct shm_header *header = segment->header;
    header->version = SEGMENT_VERSION;
    header->rank = options->rank;
    memcpy(header->nonce, coll_id_nonce(options->id), COLL_NONCE_SIZE);
    /* Pairs with the load in is_segment_of: a rank that sees the magic sees the words above. */
    atomic_store(&header->magic, SEGMENT_MAGIC);
    *memfd = created;
    return true;
}

bool shm_segment_open(int memfd, const uint8_t *nonce, int rank, int threads, struct shm_segment *segment, bool *shared,
                      struct error *error)
{
    struct stat file;
    size_t size = shm_segment_size(threads);
    int seals = fcntl(memfd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(memfd, &file) < 0 || (size_t)file.st_size != size)
        return error_fail(error, MMARN_ERR_PEER, "what rank %d sent is not a sealed segment of %zu bytes", rank, size);
    void *address = acquire(memfd, &file, shared);
    if (!address)
        return error_fail_errno(error, "rank %d's segment of %zu bytes could not be mapped", rank, size);
    if (!is_segment_of(address, nonce, rank)) {
        release(address);
        return error_fail(error, MMARN_ERR_PEER, "what rank %d sent is not its segment", rank);
    }
    lay_out(address, threads, segment);
    return true;
}

void shm_segment_close(struct shm_segment *segment)
{
    if (segment->header)
        release(segment->header);
    *segment = (struct shm_segment){0};
}
