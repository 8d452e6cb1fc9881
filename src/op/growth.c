/* SPDX-License-Identifier: MIT */
/* growth.c - reads and fills structs of another size than this library's, and lists those structs. */
#include "op/growth.h"

#include <string.h>

#include "mmarn/mmarn_ascend.h"
#include "op/check_pieces.h"

/* All structs are far smaller than a page; a larger struct_size was never set. */
enum { GROWTH_MOST = 4096 };

static const mmarn_comm_config comm_config_defaults = MMARN_COMM_CONFIG_INIT;
static const mmarn_op_config op_config_defaults = MMARN_OP_CONFIG_INIT;
static const mmarn_step step_defaults = MMARN_STEP_INIT;
static const mmarn_op_description op_description_defaults = MMARN_OP_DESCRIPTION_INIT;
static const mmarn_ascend_options ascend_options_defaults = MMARN_ASCEND_OPTIONS_INIT;

const struct growth growth_comm_config = {
    .argument = "config",
    .type = "mmarn_comm_config",
    .size = sizeof(mmarn_comm_config),
    .first = offsetof(mmarn_comm_config, interrupted),
    .defaults = &comm_config_defaults,
};

const struct growth growth_op_config = {
    .argument = "config",
    .type = "mmarn_op_config",
    .size = sizeof(mmarn_op_config),
    .first = offsetof(mmarn_op_config, dequant_scale),
    .defaults = &op_config_defaults,
};

const struct growth growth_step = {
    .argument = "step",
    .type = "mmarn_step",
    .size = sizeof(mmarn_step),
    .first = offsetof(mmarn_step, x1_scale),
    .defaults = &step_defaults,
};

const struct growth growth_ascend_options = {
    .argument = "ascend",
    .type = "mmarn_ascend_options",
    .size = sizeof(mmarn_ascend_options),
    .first = offsetof(mmarn_ascend_options, flags),
    .defaults = &ascend_options_defaults,
};

const struct growth growth_op_description = {
    .argument = "description",
    .type = "mmarn_op_description",
    .size = sizeof(mmarn_op_description),
    .first = offsetof(mmarn_op_description, weight_bytes),
    .defaults = &op_description_defaults,
};

static bool check_size(const struct growth *growth, size_t size, struct error *error)
{
    if (size < growth->first)
        return error_fail(error, MMARN_ERR_ARGUMENT,
                          "%s->struct_size is %zu but an %s has at least %zu; start from its _INIT macro",
                          growth->argument, size, growth->type, growth->first);
    if (size > GROWTH_MOST || size % sizeof(size_t))
        return error_fail(error, MMARN_ERR_ARGUMENT,
                          "%s->struct_size is %zu but an %s has at most %d, a multiple of %zu; start from its _INIT "
                          "macro",
                          growth->argument, size, growth->type, GROWTH_MOST, sizeof(size_t));
    return true;
}

bool growth_take(const struct growth *growth, const void *given, void *known, struct error *error)
{
    if (!check_given(growth->argument, given, error))
        return false;
    size_t size;
    memcpy(&size, given, sizeof size);
    if (!check_size(growth, size, error))
        return false;
    const unsigned char *bytes = given;
    for (size_t i = growth->size; i < size; i++)
        if (bytes[i])
            return error_fail(error, MMARN_ERR_UNSUPPORTED,
                              "%s->struct_size is %zu and byte %zu is set, but this library knows only %zu",
                              growth->argument, size, i, growth->size);
    memcpy(known, growth->defaults, growth->size);
    memcpy(known, given, size < growth->size ? size : growth->size);
    memcpy(known, &growth->size, sizeof growth->size);
    return true;
}

void growth_give(const struct growth *growth, const void *known, void *given)
{
    size_t size;
    memcpy(&size, given, sizeof size);
    const size_t end = size < growth->size ? size : growth->size;
    memcpy((char *)given + sizeof size, (const char *)known + sizeof size, end - sizeof size);
}

bool growth_init(const struct growth *growth, void *given, size_t struct_size, struct error *error)
{
    if (!check_given(growth->argument, given, error) || !check_size(growth, struct_size, error))
        return false;
    memset(given, 0, struct_size);
    memcpy(given, growth->defaults, struct_size < growth->size ? struct_size : growth->size);
    memcpy(given, &struct_size, sizeof struct_size);
    return true;
}
