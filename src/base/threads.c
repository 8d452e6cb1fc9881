/* threads.c - the only file that knows OpenMP's team; one thread runs without entering a parallel region. */
#include "base/threads.h"

#ifdef _OPENMP
#include <omp.h>

int threads_limit(void)
{
    return omp_get_max_threads();
}

void threads_run(int threads, void (*fn)(void *ctx, int thread), void *ctx)
{
    if (threads <= 1) {
        fn(ctx, 0);
        return;
    }
#pragma omp parallel num_threads(threads)
    fn(ctx, omp_get_thread_num());
}

#else

int threads_limit(void)
{
    return 1;
}

void threads_run(int threads, void (*fn)(void *ctx, int thread), void *ctx)
{
    (void)threads;
    fn(ctx, 0);
}

#endif
