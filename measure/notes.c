/* SPDX-License-Identifier: MIT */
/* notes.c - see notes.h. Ranks share the list of sentences that have been written. */
#include "notes.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hash.h"
#include "mmarn/mmarn.h"
#include "progress.h"
#include "ranks.h"

/* The most different sentences; the library has fewer. */
enum { NOTES = 16 };

static _Atomic uint64_t *said; /* their hashes; 0: none yet */

/* True for the first caller with this sentence. */
static bool is_new(const char *sentence)
{
    const uint64_t hash = hash_bytes(HASH_START, sentence, strlen(sentence)) | 1; /* not 0 */
    for (int i = 0; said != NULL && i < NOTES; i++) {
        uint64_t there = 0;
        if (atomic_compare_exchange_strong(&said[i], &there, hash))
            return true;
        if (there == hash)
            return false;
    }
    return true;
}

void notes_tell(const char *sentence)
{
    if (!is_new(sentence))
        return;
    progress_clear();
    fprintf(stderr, "mmarn: %s\n", sentence);
}

static void hear(void *context, mmarn_status status, const char *sentence)
{
    (void)context;
    if (status == MMARN_OK)
        notes_tell(sentence);
}

void notes_begin(void)
{
    said = ranks_shared_memory(NOTES * sizeof(*said));
    mmarn_set_logger(hear, NULL);
}
