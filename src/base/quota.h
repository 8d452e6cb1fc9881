/* SPDX-License-Identifier: MIT */
/* quota.h - the processor time that control groups leave to this process: the CPU limit of a container. */
#ifndef MMARN_BASE_QUOTA_H
#define MMARN_BASE_QUOTA_H

#include <stdint.h>

struct quota {
    double processors; /* how many may be busy all the time; 0: there is no quota */
    uint64_t place;    /* identifies the control groups that set it: processes with the same place share the quota */
};

/*
 * The smallest quota of this process's control group and of its parent groups, as far as they can be seen: cpu.max of
 * version 2, cpu.cfs_quota_us of version 1, or both. root is put before every path, for tests; usually "". A file that
 * cannot be read sets no quota.
 */
struct quota quota_read(const char *root);

#endif
