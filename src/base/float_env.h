/* SPDX-License-Identifier: MIT */
/*
 * float_env.h - the floating-point environment that results are defined in: round to nearest even, subnormal numbers
 * kept, no exception traps. A caller's thread may have any other environment. So every public function that can compute
 * opens a scope (tools/check_doors.py), and so does every thread that works for it (threads_run). When a scope ends in
 * any way, the thread has the environment that it came with, exception flags included. If nothing differs, which is
 * nearly always so, a scope only reads and compares the register at its beginning and at its end.
 *
 * A compiler moves no access to memory out of a scope, but it may move a conversion of a value that the function has in
 * a register: such a value is passed to a function that is not inlined (op/op.h).
 */
#ifndef MMARN_BASE_FLOAT_ENV_H
#define MMARN_BASE_FLOAT_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arithmetic.h"

#if defined(__x86_64__)

/* MXCSR. The library has no x87 instructions. */
struct float_env {
    uint32_t word;
};

enum { FLOAT_ENV_FLAGS = 0x3F, FLOAT_ENV_DEFINED = 0x1F80 };

static inline void float_env_read(struct float_env *env)
{
    __asm__ volatile("stmxcsr %0" : "=m"(env->word) : : "memory");
}

static inline void float_env_write(const struct float_env *env)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(env->word) : "memory");
}

static inline bool float_env_is_defined(const struct float_env *env)
{
    return (env->word & ~(uint32_t)FLOAT_ENV_FLAGS) == FLOAT_ENV_DEFINED;
}

static inline bool float_env_same(const struct float_env *a, const struct float_env *b)
{
    return a->word == b->word;
}

#elif defined(__aarch64__)

/* FPCR and FPSR: every bit that is set in FPCR asks for something else. */
struct float_env {
    uint64_t control, flags;
};

static inline void float_env_read(struct float_env *env)
{
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(env->control), "=r"(env->flags) : : "memory");
}

static inline void float_env_write(const struct float_env *env)
{
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(env->control), "r"(env->flags) : "memory");
}

static inline bool float_env_is_defined(const struct float_env *env)
{
    return env->control == 0;
}

static inline bool float_env_same(const struct float_env *a, const struct float_env *b)
{
    return a->control == b->control && a->flags == b->flags;
}

#else

#include <fenv.h>

/*
 * The whole environment as <fenv.h> has it, set and restored without a comparison; and MXCSR, which i386's fenv leaves
 * out.
 */
struct float_env {
    fenv_t all;
    uint32_t word;
};

static inline void float_env_read(struct float_env *env)
{
    fegetenv(&env->all);
#if defined(__SSE__)
    __asm__ volatile("stmxcsr %0" : "=m"(env->word) : : "memory");
#endif
}

static inline void float_env_write(const struct float_env *env)
{
    fesetenv(&env->all);
#if defined(__SSE__)
    __asm__ volatile("ldmxcsr %0" : : "m"(env->word) : "memory");
#endif
}

static inline bool float_env_is_defined(const struct float_env *env)
{
    (void)env;
    return false;
}

static inline bool float_env_same(const struct float_env *a, const struct float_env *b)
{
    return a == b;
}

#endif

/* Is this thread in a scope's environment? For assertions. True where this cannot be found out. */
static inline bool float_env_holds(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
    struct float_env now;
    float_env_read(&now);
    return float_env_is_defined(&now);
#else
    return true;
#endif
}

struct float_scope {
    struct float_env found;
    const struct float_env *outer; /* the environment in which callbacks ran before */
    bool changed;
};

/* Sets the environment if it differs, and notes the environment for callbacks. */
void float_scope_change(struct float_scope *scope);
void float_scope_restore(const struct float_scope *scope);

static inline void float_scope_begin(struct float_scope *scope)
{
    scope->changed = false;
    float_env_read(&scope->found);
    if (!float_env_is_defined(&scope->found))
        float_scope_change(scope);
}

static inline void float_scope_end(struct float_scope *scope)
{
    struct float_env now;
    float_env_read(&now);
    if (scope->changed || !float_env_same(&now, &scope->found))
        float_scope_restore(scope);
}

/* The first line of a function: makes its whole body a scope. */
#define FLOAT_ENV_SCOPE()                                                                                              \
    struct float_scope float_scope __attribute__((cleanup(float_scope_end)));                                          \
    float_scope_begin(&float_scope)

/* The environment in which the caller's functions run on this thread; NULL: the thread's current one. */
const struct float_env *float_env_of_caller(void);

/* The scope of a thread that works for another thread, with that thread's float_env_of_caller. */
void float_scope_join(struct float_scope *scope, const struct float_env *of_caller);

/* Enclose a call to one of the caller's functions: it runs in the caller's environment, and may leave another one. */
struct float_env float_env_go_out(void);
void float_env_come_back(const struct float_env *inside);

#endif
