/* SPDX-License-Identifier: MIT */
/* odd_env.c - sets environments by values of the processor's own register; elsewhere by <fenv.h>, without flushing. */
#include "odd_env.h"

#include <stdint.h>

#if defined(__SSE2__)

enum { FLAGS = 0x3F };

/* In the order of enum odd_env. Some have flags set. */
static const uint32_t words[ODD_ENVS] = {0x1F80, 0x9F80, 0x1FC5, 0x9FC0, 0x5F80,
                                         0x3F90, 0x7F80, 0x1F8A, 0x0000, 0xC061};

static void set(enum odd_env env)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(words[env]) : "memory");
}

static bool kept(enum odd_env env, bool flags_too)
{
    uint32_t word;
    __asm__ volatile("stmxcsr %0" : "=m"(word) : : "memory");
    return ((word ^ words[env]) & ~(uint32_t)(flags_too ? 0 : FLAGS)) == 0;
}

#elif defined(__aarch64__)

enum { RAISED = 0x0A };

/* FZ, FZ16, DN and AHP flush. Few processors have the traps; on others they read as zeros. */
static const uint64_t words[ODD_ENVS] = {
    0, 1U << 24, 1U << 19, 1U << 24 | 1U << 25 | 1U << 26, 1U << 22, 2U << 22, 3U << 22, 0, 0x9F00, 1U << 24 | 0x9F00};
static const uint64_t absent = 0x9F00 | 1U << 19;

static uint64_t flags_of(enum odd_env env)
{
    return env == ODD_FLAGS ? RAISED : 0;
}

static void set(enum odd_env env)
{
    const uint64_t flags = flags_of(env);
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(words[env]), "r"(flags) : "memory");
}

static bool kept(enum odd_env env, bool flags_too)
{
    uint64_t word, flags;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(word), "=r"(flags) : : "memory");
    return ((word ^ words[env]) & ~absent) == 0 && (!flags_too || flags == flags_of(env));
}

#else

#include <fenv.h>

static int rounding(enum odd_env env)
{
    return env == ODD_UPWARD       ? FE_UPWARD
           : env == ODD_DOWNWARD   ? FE_DOWNWARD
           : env == ODD_TOWARDZERO ? FE_TOWARDZERO
                                   : FE_TONEAREST;
}

static void set(enum odd_env env)
{
    fesetenv(FE_DFL_ENV);
    fesetround(rounding(env));
}

static bool kept(enum odd_env env, bool flags_too)
{
    (void)flags_too;
    return fegetround() == rounding(env);
}

#endif

const char *odd_env_name(enum odd_env env)
{
    static const char *const names[ODD_ENVS] = {"usual",    "flush to zero", "subnormals are zeros", "both flushes",
                                                "upward",   "downward",      "toward zero",          "raised flags",
                                                "trapping", "everything"};
    return names[env];
}

void odd_env_set(enum odd_env env)
{
    set(env);
}

bool odd_env_kept(enum odd_env env)
{
    const bool is_kept = kept(env, true);
    set(ODD_NONE);
    return is_kept;
}

bool odd_env_is(enum odd_env env)
{
    return kept(env, false);
}
