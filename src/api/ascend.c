/* SPDX-License-Identifier: MIT */
/* ascend.c - the public functions of mmarn_ascend.h: the original's options, and its numbers of errors. */
#include "op/ascend.h"

#include "api/door.h"
#include "base/float_env.h"
#include "op/growth.h"

mmarn_status mmarn_ascend_options_init(mmarn_ascend_options *options, size_t struct_size)
{
    FLOAT_ENV_SCOPE();
    struct error error;
    return door_status(growth_init(&growth_ascend_options, options, struct_size, &error), &error);
}

int32_t mmarn_last_code(void)
{
    const struct error *error = door_last_error();
    if (error->code)
        return error->code;
    switch (error->status) {
    case MMARN_OK:
        return 0;
    case MMARN_ERR_NULL:
        return ASCEND_NULL;
    case MMARN_ERR_ARGUMENT:
    case MMARN_ERR_UNSUPPORTED:
        return ASCEND_ARGUMENT;
    default:
        return ASCEND_FAILED;
    }
}
