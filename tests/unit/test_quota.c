/* SPDX-License-Identifier: MIT */
/*
 * test_quota.c - quotas of processors, read from folders that look like /proc and the control-group mounts of various
 * machines.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/quota.h"

#define UNIFIED "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define OTHERS  "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n24 22 0:22 / /sys rw shared:7 - sysfs sysfs rw\n"

static char root[64];

/* Writes a file below the root, and creates its parent folders. */
static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void describe(const char *mounts, const char *groups)
{
    put("proc/self/mountinfo", mounts);
    put("proc/self/cgroup", groups);
}

static int erase(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static int begin(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/mmarn-quota-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    return nftw(root, erase, 8, FTW_DEPTH | FTW_PHYS);
}

static void expect(double processors)
{
    const double found = quota_read(root).processors;
    if (found < processors - 1e-9 || found > processors + 1e-9)
        fail_msg("the quota is %g, not %g", found, processors);
}

static void nothing_to_read(void **state)
{
    (void)state;
    expect(0);
    describe(OTHERS UNIFIED, "0::/a\n");
    expect(0);
    describe("", "");
    expect(0);
    describe("-\n - cgroup2\n35 24 0:30 / - cgroup2 cgroup2 rw\n\n", "::::\n0\n0:\n\n");
    expect(0);
}

static void version_2(void **state)
{
    (void)state;
    describe(OTHERS UNIFIED, "0::/user.slice/job\n");
    put("sys/fs/cgroup/user.slice/job/cpu.max", "50000 100000\n");
    expect(0.5);
    put("sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
    expect(0);
    put("sys/fs/cgroup/user.slice/cpu.max", "150000 50000\n");
    expect(3);
    put("sys/fs/cgroup/user.slice/job/cpu.max", "400000 100000\n");
    expect(3);
    put("sys/fs/cgroup/user.slice/job/cpu.max", "125000 100000\n");
    expect(1.25);
}

static void what_is_not_a_limit(void **state)
{
    (void)state;
    static const char *const texts[] = {"",      "\n",    "max\n",       "100000\n", "0 100000\n", "-1 100000\n",
                                        "5 0\n", "a b\n", "100000 max\n"};
    describe(UNIFIED, "0::/job\n");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put("sys/fs/cgroup/job/cpu.max", texts[i]);
        expect(0);
    }
}

/* In a container the mount shows its own group, whatever the groups above it are called. */
static void containers(void **state)
{
    (void)state;
    put("sys/fs/cgroup/cpu.max", "200000 100000\n");
    describe(UNIFIED, "0::/\n");
    expect(2);
    describe("35 24 0:30 /docker/12ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/12ab\n");
    expect(2);
    put("sys/fs/cgroup/part/cpu.max", "70000 100000\n");
    describe("35 24 0:30 /docker/12ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/12ab/part\n");
    expect(0.7);
    /* A name with the same beginning, and a group outside of what can be seen. */
    describe("35 24 0:30 /docker/12ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/12abc/part\n");
    expect(2);
    describe(UNIFIED, "0::/../../part\n");
    expect(2);
}

static void version_1(void **state)
{
    (void)state;
    describe(OTHERS "40 30 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                    "41 30 0:32 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 - cgroup cgroup rw,cpu,cpuacct\n"
                    "42 30 0:33 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n",
             "7:cpuset:/sets\n5:memory:/mem\n3:cpuacct,cpu:/jobs/one\n1:name=systemd:/x\n");
    put("sys/fs/cgroup/memory/mem/cpu.cfs_quota_us", "1000\n");
    put("sys/fs/cgroup/memory/mem/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    expect(0);
    put("sys/fs/cgroup/cpu,cpuacct/jobs/one/cpu.cfs_quota_us", "250000\n");
    expect(0);
    put("sys/fs/cgroup/cpu,cpuacct/jobs/one/cpu.cfs_period_us", "100000\n");
    expect(2.5);
    put("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us", "30000\n");
    put("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us", "20000\n");
    expect(1.5);
}

/* Both versions at once: processors are limited by version 1, or by version 2; and a mount with a space in its name. */
static void hybrid(void **state)
{
    (void)state;
    const char *mounts = "41 30 0:32 / /cg/all\\040cpus rw - cgroup cgroup rw,cpu\n"
                         "42 30 0:33 / /cg/unified rw - cgroup2 cgroup2 rw\n";
    describe(mounts, "4:cpu:/v1\n0::/v2\n");
    put("cg/all cpus/v1/cpu.cfs_quota_us", "180000");
    put("cg/all cpus/v1/cpu.cfs_period_us", "100000");
    expect(1.8);
    put("cg/unified/v2/cpu.max", "90000 100000\n");
    expect(0.9);
    put("cg/all cpus/v1/cpu.cfs_quota_us", "-1");
    put("cg/unified/v2/cpu.max", "max 100000\n");
    expect(0);
}

/* Two processes share a quota if the same group sets it, whatever group they are in. */
static void places(void **state)
{
    (void)state;
    put("sys/fs/cgroup/pod/cpu.max", "100000 100000\n");
    put("sys/fs/cgroup/pod/a/cpu.max", "200000 100000\n");
    put("sys/fs/cgroup/pod/b/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/other/cpu.max", "100000 100000\n");
    describe(UNIFIED, "0::/pod/a\n");
    const uint64_t a = quota_read(root).place;
    describe(UNIFIED, "0::/pod/b\n");
    assert_int_equal(quota_read(root).place, a);
    describe(UNIFIED, "0::/other\n");
    assert_int_not_equal(quota_read(root).place, a);
}

static void long_names(void **state)
{
    (void)state;
    char line[8192] = "0::";
    for (int i = 0; i < 500; i++)
        strcat(line, "/group");
    describe(OTHERS UNIFIED, line);
    put("sys/fs/cgroup/cpu.max", "50000 100000\n");
    quota_read(root); /* for any result, it must not write beyond its buffers */
    strcpy(line, "35 24 0:30 / /");
    for (int i = 0; i < 500; i++)
        strcat(line, "mount/");
    strcat(line, " rw - cgroup2 cgroup2 rw\n" UNIFIED);
    describe(line, "0::/\n");
    expect(0.5);
}

/* On this machine, for any settings. */
static void in_earnest(void **state)
{
    (void)state;
    const struct quota quota = quota_read("");
    assert_true(quota.processors >= 0);
    assert_true(cpu_count() >= 1 && cpu_count() <= cpu_allowed());
    if (quota.processors == 0)
        assert_int_equal(cpu_count(), cpu_allowed());
    else
        assert_true(cpu_count() < quota.processors + 1);
}

int main(void)
{
#define QUOTA_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(nothing_to_read), QUOTA_TEST(version_2),  QUOTA_TEST(what_is_not_a_limit),
        QUOTA_TEST(containers),      QUOTA_TEST(version_1),  QUOTA_TEST(hybrid),
        QUOTA_TEST(places),          QUOTA_TEST(long_names), QUOTA_TEST(in_earnest)};
    return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
