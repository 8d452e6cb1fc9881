/* SPDX-License-Identifier: MIT */
/*
 * one_rank.c - the operator in a group of one: y = x1 @ x2 + residual, norm_out = RMSNorm(y) * gamma, in fp32.
 * Build: cc one_rank.c $(pkg-config --cflags --libs mmarn)
 */
#include <mmarn/mmarn.h>
#include <stdio.h>

int main(void)
{
    float x1[2 * 3] = {1, 2, 3, 4, 5, 6};
    float x2[3 * 2] = {1, 0, 0, 1, 1, 1};
    float residual[2 * 2] = {0.5f, 0.5f, -1, -1};
    float gamma[2] = {1, 2};
    float y[2 * 2], norm_out[2 * 2];

    mmarn_tensor x1_t = mmarn_tensor_make(x1, MMARN_F32, 2, (int64_t[]){2, 3});
    mmarn_tensor x2_t = mmarn_tensor_make(x2, MMARN_F32, 2, (int64_t[]){3, 2});
    mmarn_tensor residual_t = mmarn_tensor_make(residual, MMARN_F32, 2, (int64_t[]){2, 2});
    mmarn_tensor gamma_t = mmarn_tensor_make(gamma, MMARN_F32, 1, (int64_t[]){2});
    mmarn_tensor y_t = mmarn_tensor_make(y, MMARN_F32, 2, (int64_t[]){2, 2});
    mmarn_tensor norm_out_t = mmarn_tensor_make(norm_out, MMARN_F32, 2, (int64_t[]){2, 2});

    mmarn_comm_config group = MMARN_COMM_CONFIG_INIT;
    mmarn_comm *comm = NULL;
    mmarn_status status = mmarn_comm_create(NULL, &group, &comm);

    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2_t;
    config.gamma = &gamma_t;
    mmarn_step step = MMARN_STEP_INIT;
    step.x1 = &x1_t;
    step.residual = &residual_t;
    step.y = &y_t;
    step.norm_out = &norm_out_t;
    if (status == MMARN_OK)
        status = mmarn_mm_all_reduce_add_rms_norm(comm, &config, &step);
    if (status != MMARN_OK) {
        fprintf(stderr, "%s: %s\n", mmarn_status_string(status), mmarn_last_error());
        return 1;
    }
    for (int i = 0; i < 2; i++)
        printf("y = %g %g   norm_out = %.4f %.4f\n", y[2 * i], y[2 * i + 1], norm_out[2 * i], norm_out[2 * i + 1]);
    mmarn_comm_destroy(comm);
    return 0;
}
