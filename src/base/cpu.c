/*
 * cpu.c - asks the processor once what it can do, and takes away what MMARN_CPU forbids.
 * A feature counts only when the operating system saves its registers too (OSXSAVE and XCR0): CPUID alone says what the
 * silicon has, and using wider registers than the system saves corrupts or kills the process.
 */
#include "base/cpu.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* Each level has the features of those before it; the last one that is wholly there names the processor. */
static const struct {
    const char *name;
    unsigned features;
} levels[] = {{"ref", 0},
              {"avx2", CPU_AVX2},
              {"avx512", CPU_AVX2 | CPU_AVX512},
              {"avx512bf16", CPU_AVX2 | CPU_AVX512 | CPU_AVX512BF16}};
enum { LEVELS = sizeof levels / sizeof levels[0] };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned present, allowed;
static char complaint[160]; /* about MMARN_CPU */

#if defined(__x86_64__)
static unsigned long long read_xcr0(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (unsigned long long)high << 32 | low;
}

/* AMD's family 19h has AVX-512 in Zen 4 only, and there with 256-bit pipelines (AMD document 57647). */
static bool halves(void)
{
    enum { BASE = 0xf, ZEN_3_AND_4 = 0x19 };
    unsigned a, b, c, d;
    if (!__get_cpuid(0, &a, &b, &c, &d) || b != signature_AMD_ebx || !__get_cpuid(1, &a, &b, &c, &d))
        return false;
    const unsigned family = a >> 8 & BASE;
    return (family == BASE ? family + (a >> 20 & 0xff) : family) == ZEN_3_AND_4;
}

/* Of a processor that has AVX-512. */
static unsigned detect_bf16(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVX512BF16) ? CPU_AVX512BF16 : 0;
}

static unsigned detect(void)
{
    const unsigned need1 = bit_FMA | bit_OSXSAVE | bit_AVX | bit_F16C;
    const unsigned wide = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    const unsigned long long xmm_and_ymm = 0x6, zmm_and_masks = 0xe0;
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & need1) != need1)
        return 0;
    const unsigned long long saved = read_xcr0();
    if ((saved & xmm_and_ymm) != xmm_and_ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2))
        return 0;
    if ((saved & zmm_and_masks) != zmm_and_masks || (b & wide) != wide || !(c & bit_AVX512VNNI))
        return CPU_AVX2;
    return CPU_AVX2 | CPU_AVX512 | detect_bf16() | (halves() ? CPU_HALVED : 0);
}
#else
static unsigned detect(void)
{
    return 0;
}
#endif

static void detect_once(void)
{
    present = detect();
    allowed = present;
    const char *cap = getenv("MMARN_CPU");
    if (!cap || !*cap)
        return;
    for (int i = 0; i < LEVELS; i++)
        if (strcasecmp(cap, levels[i].name) == 0) {
            allowed &= levels[i].features | CPU_HALVED;
            return;
        }
    snprintf(complaint, sizeof complaint, "MMARN_CPU is \"%.32s\", which is not", cap);
    for (int i = 0; i < LEVELS; i++) {
        const size_t used = strlen(complaint);
        snprintf(complaint + used, sizeof complaint - used, "%s %s",
                 i == 0            ? ""
                 : i == LEVELS - 1 ? " or"
                                   : ",",
                 levels[i].name);
    }
    strncat(complaint, ", so it forbids nothing", sizeof complaint - strlen(complaint) - 1);
}

const char *cpu_complaint(void)
{
    pthread_once(&once, detect_once);
    return complaint[0] ? complaint : NULL;
}

unsigned cpu_features(void)
{
    pthread_once(&once, detect_once);
    return allowed;
}

unsigned cpu_features_present(void)
{
    pthread_once(&once, detect_once);
    return present;
}

const char *cpu_level(void)
{
    unsigned features = cpu_features();
    int level = 0;
    for (int i = 1; i < LEVELS; i++)
        if ((levels[i].features & ~features) == 0)
            level = i;
    return levels[level].name;
}

void cpu_features_text(unsigned features, char *buffer, size_t size)
{
    const char *text = features & CPU_AVX512BF16 ? "avx2 avx512 avx512bf16"
                       : features & CPU_AVX512   ? "avx2 avx512"
                       : features & CPU_AVX2     ? "avx2"
                                                 : "none";
    snprintf(buffer, size, "%s", text);
}
