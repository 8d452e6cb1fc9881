/* SPDX-License-Identifier: MIT */
/* peak_read.c - the reading loop, as wide as the compiler makes it. */
#include "peak.h"

/* Places that are read at once, and words in a cache line. */
enum { STREAMS = 4, LINE_WORDS = 8 };

uint64_t peak_read(const uint64_t *words, int64_t count)
{
    const int64_t part = count / STREAMS;
    uint64_t sum[STREAMS] = {0}, total = 0;

    for (int64_t i = 0; i + LINE_WORDS <= part; i += LINE_WORDS)
        for (int stream = 0; stream < STREAMS; stream++)
            for (int word = 0; word < LINE_WORDS; word++)
                sum[stream] += words[stream * part + i + word];
    for (int stream = 0; stream < STREAMS; stream++)
        total += sum[stream];
    return total;
}
