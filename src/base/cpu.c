/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - asks the processor once what it can do, and removes what MMARN_CPU forbids. A feature counts only if the
 * operating system saves its registers too (OSXSAVE and XCR0). CPUID alone says what the silicon has, and using wider
 * registers than the system saves corrupts or kills the process.
 */
#include "base/cpu.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* By name; `stands_on` are the features that a processor with this one also has. Each feature comes after those. */
static const struct {
    const char *name;
    unsigned feature, stands_on;
} features[] = {{"avx2", CPU_AVX2, 0},
                {"avx512", CPU_AVX512, CPU_AVX2},
                {"avx512vnni", CPU_AVX512VNNI, CPU_AVX2 | CPU_AVX512},
                {"avx512bf16", CPU_AVX512BF16, CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI}};
enum { FEATURES = sizeof features / sizeof features[0] };
static const char none[] = "ref";

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned present, allowed;
static char complaint[192]; /* about MMARN_CPU */

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

/* Intel's processors begin one vdpbf16ps every two cycles, and in that time four multiply-adds of fp32. */
static bool pairs_are_slow(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_INTEL_ebx;
}

/* Of a processor that has AVX-512; c is of CPUID's leaf 7. */
static unsigned detect_avx512(unsigned c)
{
    unsigned a, b, d, unused;
    unsigned found = CPU_AVX512 | (halves() ? CPU_HALVED : 0);
    if (!(c & bit_AVX512VNNI))
        return found;
    found |= CPU_AVX512VNNI;
    if (!__get_cpuid_count(7, 1, &a, &b, &unused, &d) || !(a & bit_AVX512BF16))
        return found;
    return found | CPU_AVX512BF16 | (pairs_are_slow() ? CPU_SLOW_PAIRS : 0);
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
    if ((saved & zmm_and_masks) != zmm_and_masks || (b & wide) != wide)
        return CPU_AVX2;
    return CPU_AVX2 | detect_avx512(c);
}
#else
static unsigned detect(void)
{
    return 0;
}
#endif

/* The features that a name of `length` characters allows. False: there is no such name. */
static bool allowed_by(const char *name, size_t length, unsigned *set)
{
    if (length == strlen(none) && strncasecmp(name, none, length) == 0)
        return true;
    for (int i = 0; i < FEATURES; i++)
        if (length == strlen(features[i].name) && strncasecmp(name, features[i].name, length) == 0) {
            *set |= features[i].feature | features[i].stands_on;
            return true;
        }
    return false;
}

static void complain(const char *text)
{
    size_t used = (size_t)snprintf(complaint, sizeof complaint, "MMARN_CPU is \"%.32s\", which is not %s", text, none);
    for (int i = 0; i < FEATURES; i++)
        used += (size_t)snprintf(complaint + used, sizeof complaint - used, "%s %s", i == FEATURES - 1 ? " or" : ",",
                                 features[i].name);
    snprintf(complaint + used, sizeof complaint - used, ", so it forbids nothing");
}

static void detect_once(void)
{
    present = detect();
    allowed = present;
    const char *text = getenv("MMARN_CPU");
    if (!text || !*text)
        return;
    unsigned set = CPU_TRAITS;
    for (const char *name = text;; name++) {
        const size_t length = strcspn(name, ",");
        if (!allowed_by(name, length, &set)) {
            complain(text);
            return;
        }
        name += length;
        if (!*name)
            break;
    }
    allowed &= set;
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
    const unsigned usable = cpu_features();
    for (int i = FEATURES - 1; i >= 0; i--)
        if (usable & features[i].feature)
            return features[i].name;
    return none;
}

void cpu_features_text(unsigned set, char *buffer, size_t size)
{
    assert(size > 0);
    size_t used = (size_t)snprintf(buffer, size, "%s", set & ~(unsigned)CPU_TRAITS ? "" : "none");
    for (int i = 0; i < FEATURES; i++)
        if (set & features[i].feature && used < size)
            used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? " " : "", features[i].name);
}
