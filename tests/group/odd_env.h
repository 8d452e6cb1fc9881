/* SPDX-License-Identifier: MIT */
/*
 * odd_env.h - floating-point environments that a caller may have: a test sets one on a thread, calls the library, and
 * checks it afterwards. It may compute nothing in between, because some of them trap.
 */
#ifndef MMARN_TESTS_ODD_ENV_H
#define MMARN_TESTS_ODD_ENV_H

#include <stdbool.h>

/* FLAGS: the usual one, with some exception flags raised. TRAPS: every exception ends the process. */
enum odd_env {
    ODD_NONE,
    ODD_FTZ,
    ODD_DAZ,
    ODD_BOTH,
    ODD_UPWARD,
    ODD_DOWNWARD,
    ODD_TOWARDZERO,
    ODD_FLAGS,
    ODD_TRAPS,
    ODD_ALL,
    ODD_ENVS
};

const char *odd_env_name(enum odd_env env);

/* Puts the calling thread into an environment. */
void odd_env_set(enum odd_env env);

/* Is the environment exactly the same, including flags? Then resets it to the usual one. */
bool odd_env_kept(enum odd_env env);

/* Does the calling thread have this environment? Its flags may differ. */
bool odd_env_is(enum odd_env env);

#endif
