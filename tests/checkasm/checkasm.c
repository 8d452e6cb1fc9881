/* SPDX-License-Identifier: MIT */
/*
 * checkasm.c - the command: which tests and kernels run, with which seed, and the reports of failures and faults.
 *
 * Random numbers restart for each kernel, so that running that kernel alone repeats a failure. A fault, for example a
 * read beyond a guard page, ends the program; it first reports the kernel and the shape that it was testing.
 */
#include "checkasm.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "reference/random.h"
#include "support/seed.h"

enum { MOST_SENTENCES = 20, SKIPPED = 77, USAGE = 2, NAME_SIZE = 64, SUBJECT_SIZE = 256 };

static const struct test {
    const char *name;
    void (*run)(void);
} tests[] = {{"convert", test_convert},   {"norm", test_norm}, {"float", test_float}, {"quant", test_quant},
             {"factored", test_factored}, {"bf16", test_bf16}, {"tile", test_tile}};
enum { TESTS = sizeof tests / sizeof tests[0] };

static const char usage[] =
    "usage: checkasm [OPTION]...\n"
    "Compares every kernel that this processor can run with plain C, bit for bit.\n"
    "\n"
    "  --test NAME       only this test\n"
    "  --function NAME   only this kernel, as --list names it\n"
    "  --list            list tests and kernels, and run nothing\n"
    "  --seed N          of the random data (default: MMARN_TEST_SEED, or a new one)\n"
    "  --bench           time the kernels too\n"
    "  --help            this text\n"
    "Exit status: 0 all right, 1 a kernel is wrong, 2 wrong usage, 77 MMARN_CPU asks for more than there is.\n";

static unsigned long checks, failures;
static const char *only_test, *only_function;
static bool lists, runs_any;
static char function[NAME_SIZE], subject[SUBJECT_SIZE];

/* The command that repeats the current kernel. */
static int write_command(char *text, size_t size)
{
    const char *level = getenv("MMARN_CPU");
    return snprintf(text, size, "%s%s%sMMARN_TEST_SEED=%llu %s --function %s", level ? "MMARN_CPU=" : "",
                    level ? level : "", level ? " " : "", (unsigned long long)test_seed(), program_invocation_name,
                    function);
}

static bool judge(bool ok, const char *sentence)
{
    char command[SUBJECT_SIZE];
    checks++;
    if (ok)
        return true;
    if (failures++ < MOST_SENTENCES) {
        write_command(command, sizeof command);
        printf("FAILED: %s\n  repeat with: %s\n", sentence, command);
    }
    return false;
}

bool check(bool ok, const char *format, ...)
{
    char sentence[SUBJECT_SIZE];
    va_list args;
    if (ok)
        return judge(true, "");
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return judge(false, sentence);
}

void check_next(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(subject, sizeof subject, format, args);
    va_end(args);
}

bool check_this(bool ok)
{
    return judge(ok, subject);
}

static uint64_t hash_of(const char *name)
{
    uint64_t hash = 5381;
    for (; *name; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

bool check_kernel(const char *kind, const char *name, unsigned needs)
{
    const bool here = (needs & ~cpu_features()) == 0;
    snprintf(function, sizeof function, "%s.%s", kind, name);
    if (lists) {
        printf("  %s%s\n", function, here ? "" : " (not on this processor)");
        return false;
    }
    if (!here || (only_function && strcmp(only_function, function) != 0))
        return false;
    runs_any = true;
    check_next("%s", function);
    random_seed(random_key(test_seed(), hash_of(function)));
    return true;
}

/* The processor has stopped at an instruction of the kernel, so this thread holds no lock that is needed here. */
static void report_fault(int number)
{
    char text[2 * SUBJECT_SIZE], command[SUBJECT_SIZE];
    write_command(command, sizeof command);
    const int length = snprintf(text, sizeof text, "FAILED: %s in %s\n  repeat with: %s\n",
                                number == SIGSEGV || number == SIGBUS ? "a read or write outside the arrays"
                                : number == SIGILL                    ? "an instruction that is not there"
                                                                      : "an arithmetic exception",
                                subject, command);
    if (write(STDOUT_FILENO, text, (size_t)length) < 0)
        _exit(1);
    _exit(1);
}

static void run(const struct test *test)
{
    const unsigned long checks_before = checks, failures_before = failures;
    if (lists)
        printf("%s\n", test->name);
    test->run();
    if (!lists && checks > checks_before)
        printf("%-8s %8lu checks, %lu failed\n", test->name, checks - checks_before, failures - failures_before);
    fflush(stdout);
}

static int refuse(const char *sentence, const char *value)
{
    fprintf(stderr, "checkasm: %s \"%s\"; checkasm --list has all\n", sentence, value);
    return USAGE;
}

static bool is_test(const char *name)
{
    for (int i = 0; i < TESTS; i++)
        if (strcmp(tests[i].name, name) == 0)
            return true;
    return false;
}

/* -1: continue; otherwise the exit status. */
static int parse(int argc, char **argv, bool *with_bench)
{
    enum { TEST = 1, FUNCTION, LIST, SEED, BENCH, HELP };
    static const struct option options[] = {{"test", required_argument, NULL, TEST},
                                            {"function", required_argument, NULL, FUNCTION},
                                            {"list", no_argument, NULL, LIST},
                                            {"seed", required_argument, NULL, SEED},
                                            {"bench", no_argument, NULL, BENCH},
                                            {"help", no_argument, NULL, HELP},
                                            {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char *end = NULL;
        if (option == TEST)
            only_test = optarg;
        else if (option == FUNCTION)
            only_function = optarg;
        else if (option == LIST)
            lists = true;
        else if (option == BENCH)
            *with_bench = true;
        else if (option == HELP)
            return fputs(usage, stdout) < 0;
        else if (option == SEED && *optarg >= '0' && *optarg <= '9' && test_seed_set(strtoull(optarg, &end, 0)) &&
                 !*end)
            continue;
        else
            return option == SEED ? refuse("--seed is not a number:", optarg) : USAGE;
    }
    if (optind < argc)
        return refuse("nothing may follow the options, as does", argv[optind]);
    return only_test && !is_test(only_test) ? refuse("there is no test", only_test) : -1;
}

int main(int argc, char **argv)
{
    bool with_bench = false;
    const int status = parse(argc, argv, &with_bench);
    if (status >= 0)
        return status;
    const char *level = getenv("MMARN_CPU");
    if (level && strcmp(level, cpu_level()) != 0) {
        printf("checkasm: skipped: MMARN_CPU asks for %s, this machine offers %s\n", level, cpu_level());
        return SKIPPED;
    }
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        signal(faults[i], report_fault);
    if (!lists)
        printf("checkasm: level %s, seed %llu\n", cpu_level(), (unsigned long long)test_seed());
    for (int i = 0; i < TESTS; i++)
        if (!only_test || strcmp(only_test, tests[i].name) == 0)
            run(&tests[i]);
    if (lists)
        return 0;
    if (!runs_any)
        return only_function ? refuse("there is no kernel for this processor", only_function) : USAGE;
    printf("%lu passed, %lu failed\n", checks - failures, failures);
    if (with_bench)
        bench();
    return failures > 0;
}
