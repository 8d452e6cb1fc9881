/* SPDX-License-Identifier: MIT */
/*
 * odd_env.h - floating-point environments that a caller may come with: a thread is put into one, calls the library, and
 * is looked at again. Nothing may be computed in between, as some of them trap.
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

/* It has the very environment still, flags included; then it gets the usual one back. */
bool odd_env_kept(enum odd_env env);

/* The calling thread has this environment; its flags may differ. */
bool odd_env_is(enum odd_env env);

#endif
