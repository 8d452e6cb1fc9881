/*
 * checkasm.c - counts checks and runs the tests. checkasm [--seed N] [--bench]
 * The seed is printed, so that a failure can be repeated. With MMARN_CPU naming a level that this machine does not
 * reach it returns 77, which ctest takes for "skipped".
 */
#include "checkasm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"

enum { MOST_SENTENCES = 20, SKIPPED = 77 };

static unsigned long checks, failures;

bool check(bool ok, const char *format, ...)
{
    checks++;
    if (ok)
        return true;
    if (failures++ < MOST_SENTENCES) {
        va_list args;
        va_start(args, format);
        printf("FAILED: ");
        vprintf(format, args);
        printf("\n");
        va_end(args);
    }
    return false;
}

static void run(const char *name, void (*test)(void))
{
    unsigned long checks_before = checks, failures_before = failures;
    test();
    printf("%-8s %8lu checks, %lu failed\n", name, checks - checks_before, failures - failures_before);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint64_t seed = (uint64_t)time(NULL);
    bool with_bench = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0) {
            with_bench = true;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 0);
        } else {
            fprintf(stderr, "usage: checkasm [--seed N] [--bench]\n");
            return 2;
        }
    }
    const char *level = getenv("MMARN_CPU");
    if (level && strcmp(level, cpu_level()) != 0) {
        printf("checkasm: skipped: MMARN_CPU asks for %s, this machine offers %s\n", level, cpu_level());
        return SKIPPED;
    }
    printf("checkasm: level %s, --seed %llu\n", cpu_level(), (unsigned long long)seed);
    random_seed(seed);
    run("convert", test_convert);
    run("norm", test_norm);
    run("gemm", test_gemm);
    run("quant", test_quant);
    run("bf16", test_bf16);
    run("tile", test_tile);
    printf("checkasm: %lu checks, %lu failed\n", checks, failures);
    printf("%lu passed, %lu failed\n", checks - failures, failures);
    if (with_bench)
        bench();
    return failures > 0;
}
