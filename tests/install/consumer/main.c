/* SPDX-License-Identifier: MIT */
/*
 * A user's program: one group of one rank, one operator, one known answer. It defines functions with the names of
 * internal ones of the library; a library that exported its own names would clash with them or call these.
 */
#include <math.h>
#include <stdio.h>

#include <mmarn/mmarn.h>

int error_fail(void);
int memory_alloc(void);
int cpu_features(void);

static int calls;

int error_fail(void)
{
    return ++calls;
}

int memory_alloc(void)
{
    return ++calls;
}

int cpu_features(void)
{
    return ++calls;
}

/* x1 = (1, 2), x2 = ((1, 2), (3, 4)): the product is (7, 10); with the residual (-4, -6), y = (3, 4). */
static mmarn_status run(mmarn_comm *comm, float *y, float *norm_out)
{
    const int64_t square[2] = {2, 2}, row[2] = {1, 2}, two = 2;
    float x1[2] = {1, 2}, x2[4] = {1, 2, 3, 4}, residual[2] = {-4, -6}, gamma[2] = {1, 2};
    mmarn_tensor x1_view = mmarn_tensor_make(x1, MMARN_F32, 2, row);
    mmarn_tensor x2_view = mmarn_tensor_make(x2, MMARN_F32, 2, square);
    mmarn_tensor residual_view = mmarn_tensor_make(residual, MMARN_F32, 2, row);
    mmarn_tensor gamma_view = mmarn_tensor_make(gamma, MMARN_F32, 1, &two);
    mmarn_tensor y_view = mmarn_tensor_make(y, MMARN_F32, 2, row);
    mmarn_tensor norm_view = mmarn_tensor_make(norm_out, MMARN_F32, 2, row);
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2_view;
    config.gamma = &gamma_view;
    mmarn_step step = MMARN_STEP_INIT;
    step.x1 = &x1_view;
    step.residual = &residual_view;
    step.y = &y_view;
    step.norm_out = &norm_view;
    return mmarn_mm_all_reduce_add_rms_norm(comm, &config, &step);
}

int main(void)
{
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    mmarn_comm *comm = NULL;
    float y[2] = {-1, -1}, norm_out[2] = {-1, -1};
    mmarn_status status = mmarn_comm_create(NULL, &config, &comm);
    if (status == MMARN_OK)
        status = run(comm, y, norm_out);
    mmarn_comm_destroy(comm);
    if (status != MMARN_OK) {
        fprintf(stderr, "%s: %s\n", mmarn_status_string(status), mmarn_last_error());
        return 1;
    }
    const double rstd = 1 / sqrt((9 + 16) / 2.0 + 1e-6);
    int wrong = y[0] != 3 || y[1] != 4 || fabs(norm_out[0] - 3 * rstd) > 1e-5 || fabs(norm_out[1] - 8 * rstd) > 1e-5;
    printf("y = (%g, %g), norm_out = (%g, %g), %d calls of this program's own functions\n", y[0], y[1], norm_out[0],
           norm_out[1], calls);
    return wrong || calls != 0;
}
