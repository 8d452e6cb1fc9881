/* threads.c - the only file that knows OpenMP's team; one thread runs without entering a parallel region. */
#include "base/threads.h"

#include "base/float_env.h"

#ifdef _OPENMP
#include <omp.h>
#include <stdlib.h>

int threads_limit(void)
{
    return omp_get_max_threads();
}

bool threads_bound(void)
{
    return omp_get_proc_bind() != omp_proc_bind_false;
}

void threads_places(void (*take)(void *ctx, int processor), void *ctx)
{
    const int places = threads_bound() ? omp_get_num_places() : 0;
    for (int place = 0; place < places; place++) {
        const int count = omp_get_place_num_procs(place);
        int *processors = count > 0 ? malloc((size_t)count * sizeof *processors) : NULL;
        if (!processors)
            continue;
        omp_get_place_proc_ids(place, processors);
        for (int i = 0; i < count; i++)
            take(ctx, processors[i]);
        free(processors);
    }
}

/* A thread of the team has the floating-point environment of whoever it worked for before. */
static void work(const struct float_env *of_caller, void (*fn)(void *ctx, int thread), void *ctx)
{
    struct float_scope scope __attribute__((cleanup(float_scope_end)));
    float_scope_join(&scope, of_caller);
    fn(ctx, omp_get_thread_num());
}

void threads_run(int threads, void (*fn)(void *ctx, int thread), void *ctx)
{
    if (threads <= 1) {
        fn(ctx, 0);
        return;
    }
    const struct float_env *of_caller = float_env_of_caller();
#pragma omp parallel num_threads(threads)
    work(of_caller, fn, ctx);
}

#else

int threads_limit(void)
{
    return 1;
}

bool threads_bound(void)
{
    return false;
}

void threads_places(void (*take)(void *ctx, int processor), void *ctx)
{
    (void)take, (void)ctx;
}

void threads_run(int threads, void (*fn)(void *ctx, int thread), void *ctx)
{
    (void)threads;
    fn(ctx, 0);
}

#endif
