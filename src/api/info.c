/* SPDX-License-Identifier: MIT */
/* info.c - the public doors to diagnostics: statuses, sentences, versions, what was chosen on this machine. */
#include <stdio.h>

#include "api/door.h"
#include "base/convert.h"
#include "base/cpu.h"
#include "base/float_env.h"
#include "coll/transports.h"
#include "gemm/kernel/kernels.h"
#include "mmarn/mmarn.h"
#include "norm/norm.h"

const char *mmarn_status_string(mmarn_status status)
{
    static const char *const names[] = {
        "MMARN_OK",          "MMARN_ERR_NULL",    "MMARN_ERR_ARGUMENT", "MMARN_ERR_UNSUPPORTED",
        "MMARN_ERR_MEMORY",  "MMARN_ERR_SYSTEM",  "MMARN_ERR_MISMATCH", "MMARN_ERR_PEER",
        "MMARN_ERR_TIMEOUT", "MMARN_ERR_ABORTED", "MMARN_ERR_FORKED",   "MMARN_ERR_BUSY",
    };
    const int known = sizeof names / sizeof *names;
    return status <= 0 && status > -known ? names[-status] : "an unknown mmarn_status";
}

const char *mmarn_last_error(void)
{
    return door_last_error()->sentence;
}

#define TEXT(number)    TEXT_OF(number)
#define TEXT_OF(number) #number

const char *mmarn_version(void)
{
    return TEXT(MMARN_VERSION_MAJOR) "." TEXT(MMARN_VERSION_MINOR) "." TEXT(MMARN_VERSION_PATCH);
}

mmarn_status mmarn_version_check(int32_t version)
{
    FLOAT_ENV_SCOPE();
    const int32_t major = version / 10000, minor = version / 100 % 100;
    if (version >= 0 && major == MMARN_VERSION_MAJOR && (major > 0 || minor == MMARN_VERSION_MINOR))
        return MMARN_OK;
    struct error error;
    error_fail(&error, MMARN_ERR_UNSUPPORTED, "the program was compiled for version %d.%d.%d but the library is %s",
               major, minor, version % 100, mmarn_version());
    return door_failed(&error);
}

void mmarn_set_logger(mmarn_log_fn fn, void *ctx)
{
    error_set_logger(fn, ctx);
}

size_t mmarn_describe(char *buffer, size_t size)
{
    char present[128], used[128], transports[128];
    cpu_features_text(cpu_features_present(), present, sizeof present);
    cpu_features_text(cpu_features(), used, sizeof used);
    const struct gemm_kernels *gemm = gemm_kernels_best();
    const char *complaint = cpu_complaint();
    size_t at = 0;
    for (int i = 0; coll_transports[i]; i++)
        at += (size_t)snprintf(transports + at, sizeof transports - at, i ? " %s" : "%s", coll_transports[i]->name);
    int length = snprintf(
        buffer, buffer ? size : 0,
        "version: %s\ncpu features: %s\ncpu features used: %s\ncpu level: %s\n"
        "gemm kernel: %s\nbf16 kernel: %s\nint8 kernel: %s\nquantised kernel: %s\nnorm kernel: %s\nconvert kernel: %s\n"
        "transports: %s\n"
        "%s%s%s",
        mmarn_version(), present, used, cpu_level(), gemm->block_name[MMARN_F32],
        gemm->bf16.block ? gemm->bf16.name : "none", gemm->i8.name, gemm->few_name[MMARN_I8], norm_kernel_best()->name,
        convert_kernel_best()->name, transports, complaint ? "note: " : "", complaint ? complaint : "",
        complaint ? "\n" : "");
    return (size_t)length;
}
