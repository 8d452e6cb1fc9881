/* SPDX-License-Identifier: MIT */
/* comm_mpi.c - MPI_Allreduce, in fp32, because MPI has no 16-bit floats. */
#include "comm.h"

#include <mpi.h>
#include <stdio.h>

#include "mmarn/mmarn.h"

bool comm_start(struct member *member, const char *variant)
{
    int world = 0;

    (void)variant;
    if (MPI_Init(NULL, NULL) != MPI_SUCCESS || MPI_Comm_size(MPI_COMM_WORLD, &world) != MPI_SUCCESS)
        return control_fail(member, "MPI cannot be initialised");
    return world == member->world || control_fail(member, "MPI started %d ranks instead of %d", world, member->world);
}

bool comm_carries(int32_t dtype)
{
    return dtype == MMARN_F32;
}

bool comm_all_reduce(void *data, int32_t dtype, int64_t count)
{
    (void)dtype;
    return MPI_Allreduce(MPI_IN_PLACE, data, (int)count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS;
}

void comm_stop(void)
{
    MPI_Finalize();
}

void comm_describe(char *text, int size)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(version, &length);
    for (int i = 0; i < length; i++)
        if (version[i] == ',' || version[i] == '\n')
            version[i] = '\0';
    snprintf(text, (size_t)size, "%s", version);
}
