/* SPDX-License-Identifier: MIT */
/* form.c - see form.h. */
#include "form.h"

const struct option_choice form_names[] = {{"whole", FORM_WHOLE},
                                           {"mm-all-reduce", FORM_MM_ALL_REDUCE},
                                           {"no-residual", FORM_NO_RESIDUAL},
                                           {"gamma-plus-one", FORM_GAMMA_PLUS_ONE},
                                           {"norm-first", FORM_NORM_FIRST},
                                           {"int8", FORM_INT8},
                                           {"sharded", FORM_SHARDED},
                                           {NULL, 0}};

uint32_t form_flags(int form)
{
    switch (form) {
    case FORM_GAMMA_PLUS_ONE:
        return MMARN_GAMMA_PLUS_ONE;
    case FORM_NORM_FIRST:
        return MMARN_NORM_FIRST;
    case FORM_SHARDED:
        return MMARN_SHARD_ROWS;
    default:
        return 0;
    }
}

enum bound_form form_bound(int form)
{
    switch (form) {
    case FORM_MM_ALL_REDUCE:
        return BOUND_SUM;
    case FORM_GAMMA_PLUS_ONE:
        return BOUND_PLUS_ONE;
    case FORM_NORM_FIRST:
        return BOUND_NORM_FIRST;
    default:
        return BOUND_WHOLE;
    }
}

void form_rows(const struct workload *workload, int rank, int64_t *first, int64_t *count)
{
    *first = 0;
    *count = workload->b * workload->s;
    if (workload->form == FORM_SHARDED)
        mmarn_shard(*count, rank, workload->ranks, first, count);
}

static mmarn_status gather(const struct workload *workload, void *matrix, mmarn_comm *comm)
{
    const int32_t dtype = scenario_of(workload->dtype)->out;
    int32_t rank, world_size;
    int64_t first, count;
    mmarn_comm_rank(comm, &rank, &world_size);
    form_rows(workload, rank, &first, &count);
    char *own = (char *)matrix + scenario_bytes(dtype, (size_t)(first * workload->n));
    const mmarn_tensor in = mmarn_tensor_make(own, dtype, 2, (int64_t[]){count, workload->n});
    const mmarn_tensor out = mmarn_tensor_make(matrix, dtype, 2, (int64_t[]){workload->b * workload->s, workload->n});
    return mmarn_all_gather(comm, &in, &out);
}

mmarn_status form_complete(const struct workload *workload, const struct data *data, mmarn_comm *comm)
{
    if (workload->form != FORM_SHARDED)
        return MMARN_OK;
    const mmarn_status status = gather(workload, data->y, comm);
    return status == MMARN_OK ? gather(workload, data->norm_out, comm) : status;
}
