/* SPDX-License-Identifier: MIT */
/*
 * quota.h - the processors' time that control groups leave to this process: what a container's CPU limit is.
 */
#ifndef MMARN_BASE_QUOTA_H
#define MMARN_BASE_QUOTA_H

#include <stdint.h>

struct quota {
    double processors; /* that may be busy all the time; 0: there is no quota */
    uint64_t place;    /* tells apart the control groups that set it: processes with the same one share the quota */
};

/*
 * The least quota of this process's control group and of those that it lies in, as far as they can be seen: cpu.max of
 * version 2, cpu.cfs_quota_us of version 1, or both. root goes before every path, for tests; usually "". What cannot
 * be read sets no quota.
 */
struct quota quota_read(const char *root);

#endif
