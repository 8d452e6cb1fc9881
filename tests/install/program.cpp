/* SPDX-License-Identifier: MIT */
/*
 * program.cpp - a C++ program against the installed library: constant inputs without casts, structs from the init
 * functions, an id as text, and one known answer of the norm alone.
 */
#include <cmath>
#include <cstdio>
#include <cstring>

#include <mmarn/mmarn_ascend.h>

static bool ids()
{
    mmarn_id id, read;
    char text[MMARN_ID_TEXT_SIZE];
    return mmarn_id_create(&id) == MMARN_OK && mmarn_id_to_text(&id, text, sizeof text) == MMARN_OK &&
           mmarn_id_from_text(text, &read) == MMARN_OK && std::memcmp(&id, &read, sizeof id) == 0;
}

int main()
{
    const float x[2] = {3, 4}, gamma[2] = {1, 2};
    const int64_t row[2] = {1, 2}, two = 2, one = 1;
    float norm_out[2] = {-1, -1}, rstd = -1;
    const mmarn_tensor x_t = mmarn_tensor_make_const(x, MMARN_F32, 2, row);
    const mmarn_tensor gamma_t = mmarn_tensor_make_const(gamma, MMARN_F32, 1, &two);
    const mmarn_tensor out_t = mmarn_tensor_make(norm_out, MMARN_F32, 2, row);
    const mmarn_tensor rstd_t = mmarn_tensor_make(&rstd, MMARN_F32, 1, &one);
    mmarn_op_config config;
    mmarn_step step;
    mmarn_comm_config group;
    mmarn_ascend_options ascend;
    mmarn_op_description description;
    mmarn_status status = mmarn_version_check(MMARN_VERSION);
    status = status ? status : mmarn_op_config_init(&config, sizeof config);
    status = status ? status : mmarn_step_init(&step, sizeof step);
    status = status ? status : mmarn_comm_config_init(&group, sizeof group);
    status = status ? status : mmarn_ascend_options_init(&ascend, sizeof ascend);
    status = status ? status : mmarn_op_description_init(&description, sizeof description);
    config.gamma = &gamma_t;
    step.x1 = &x_t;
    step.norm_out = &out_t;
    step.rstd = &rstd_t;
    status = status ? status : mmarn_add_rms_norm(nullptr, &config, &step);
    if (status != MMARN_OK || !ids()) {
        std::fprintf(stderr, "%s: %s\n", mmarn_status_string(status), mmarn_last_error());
        return 1;
    }
    const double expected = 1 / std::sqrt((9 + 16) / 2.0 + 1e-6);
    std::printf("norm_out = (%g, %g), rstd = %g\n", norm_out[0], norm_out[1], rstd);
    return std::fabs(rstd - expected) > 1e-6 || std::fabs(norm_out[1] - 8 * expected) > 1e-5;
}
