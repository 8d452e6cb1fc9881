/* SPDX-License-Identifier: MIT */
/* float_env.c - handles an environment that differs, or may differ, and calls out of the library. */
#include "base/float_env.h"

#include <stddef.h>

/* The environment of the caller that this thread works for. It is part of a scope that is still open. */
static _Thread_local const struct float_env *of_caller;

static void set_defined(void)
{
#if defined(__x86_64__)
    float_env_write(&(struct float_env){FLOAT_ENV_DEFINED});
#elif defined(__aarch64__)
    float_env_write(&(struct float_env){0, 0});
#else
    fesetenv(FE_DFL_ENV);
#if defined(__SSE__)
    const uint32_t defined = 0x1F80;
    __asm__ volatile("ldmxcsr %0" : : "m"(defined) : "memory");
#endif
#endif
}

static void enter(struct float_scope *scope, const struct float_env *callers)
{
    scope->changed = true;
    scope->outer = of_caller;
    of_caller = callers;
    set_defined();
}

void float_scope_change(struct float_scope *scope)
{
    enter(scope, &scope->found);
}

void float_scope_join(struct float_scope *scope, const struct float_env *callers)
{
    float_env_read(&scope->found);
    scope->changed = false;
    if (of_caller != callers || !float_env_is_defined(&scope->found))
        enter(scope, callers);
}

void float_scope_restore(const struct float_scope *scope)
{
    if (scope->changed)
        of_caller = scope->outer;
    float_env_write(&scope->found);
}

const struct float_env *float_env_of_caller(void)
{
    return of_caller;
}

struct float_env float_env_go_out(void)
{
    struct float_env inside;
    float_env_read(&inside);
    if (of_caller)
        float_env_write(of_caller);
    return inside;
}

void float_env_come_back(const struct float_env *inside)
{
    float_env_write(inside);
}
