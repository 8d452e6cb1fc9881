/* threads.c - the only file that knows OpenMP's team; one thread runs without entering a parallel region. */
#include "base/threads.h"

#include "base/float_env.h"

#ifdef _OPENMP
#include <omp.h>

int threads_limit(void)
{
    return omp_get_max_threads();
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

void threads_run(int threads, void (*fn)(void *ctx, int thread), void *ctx)
{
    (void)threads;
    fn(ctx, 0);
}

#endif
