/* SPDX-License-Identifier: MIT */
/* weights.c - see weights.h. */
#include "weights.h"

static void fail_type(struct call *call, const char *name, PyObject *object, const char *expected)
{
    PyErr_Format(PyExc_TypeError, "%s is %R; it must be %s", name, object, expected);
    call_fail(call);
}

static const char *read_reduce_op(struct call *call, PyObject *object)
{
    const char *text = PyUnicode_Check(object) ? PyUnicode_AsUTF8AndSize(object, NULL) : NULL;
    if (text)
        return text;
    PyErr_Clear();
    fail_type(call, "reduce_op", object, "a str");
    return "";
}

/* True: x2 holds two elements in each byte. */
static bool read_x2_dtype(struct call *call, PyObject *object)
{
    if (object == Py_None)
        return false;
    if (PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, "int4") == 0)
        return true;
    PyErr_Format(PyExc_ValueError, "x2_dtype is %R; it must be None, for x2's own, or 'int4'", object);
    call_fail(call);
    return false;
}

static uint32_t read_flags(struct call *call, PyObject *const *args)
{
    static const struct {
        enum weights_argument argument;
        uint32_t flag;
        const char *name;
    } flags[] = {
        {WEIGHTS_BIAS_ONCE, MMARN_BIAS_ONCE, "bias_once"},
        {WEIGHTS_BORROW_X2, MMARN_BORROW_X2, "borrow_x2"},
        {WEIGHTS_GAMMA_PLUS_ONE, MMARN_GAMMA_PLUS_ONE, "gamma_plus_one"},
        {WEIGHTS_NORM_FIRST, MMARN_NORM_FIRST, "norm_first"},
        {WEIGHTS_SHARD_ROWS, MMARN_SHARD_ROWS, "shard_rows"},
    };
    uint32_t all = 0;
    for (Py_ssize_t i = 0; i < LENGTH(flags); i++) {
        if (call_flag(call, args[flags[i].argument], flags[i].name))
            all |= flags[i].flag;
    }
    return all;
}

void weights_read(struct call *call, PyObject *const args[WEIGHTS_ARGUMENTS], bool keep, struct weights *weights)
{
    *weights = (struct weights){.config = MMARN_OP_CONFIG_INIT, .ascend = MMARN_ASCEND_OPTIONS_INIT};
    mmarn_op_config *config = &weights->config;
    const bool nibbles = read_x2_dtype(call, args[WEIGHTS_X2_DTYPE]);
    const enum array_use use = nibbles ? ARRAY_NIBBLES : keep ? ARRAY_KEEP : ARRAY_READ;
    config->x2 = call_array(call, args[WEIGHTS_X2], "x2", use, &weights->x2);
    config->gamma = call_optional(call, args[WEIGHTS_GAMMA], "gamma", ARRAY_READ, &weights->gamma);
    config->bias = call_optional(call, args[WEIGHTS_BIAS], "bias", ARRAY_READ, &weights->bias);
    config->epsilon = call_epsilon(call, args[WEIGHTS_EPSILON]);
    weights->ascend.reduce_op = read_reduce_op(call, args[WEIGHTS_REDUCE_OP]);
    weights->ascend.comm_turn = call_integer(call, args[WEIGHTS_COMM_TURN], "comm_turn");
    weights->ascend.flags = call_flag(call, args[WEIGHTS_STRICT], "strict") ? MMARN_ASCEND_LIMITS : 0;
    config->ascend = &weights->ascend;
    config->numerics = call_numerics(call, args[WEIGHTS_NUMERICS]);
    config->flags = read_flags(call, args);
    config->dequant_scale =
        call_optional(call, args[WEIGHTS_DEQUANT_SCALE], "dequant_scale", ARRAY_READ, &weights->dequant_scale);
    config->antiquant_scale =
        call_optional(call, args[WEIGHTS_ANTIQUANT_SCALE], "antiquant_scale", ARRAY_READ, &weights->antiquant_scale);
    config->antiquant_offset =
        call_optional(call, args[WEIGHTS_ANTIQUANT_OFFSET], "antiquant_offset", ARRAY_READ, &weights->antiquant_offset);
    config->antiquant_group_size = call_integer(call, args[WEIGHTS_ANTIQUANT_GROUP_SIZE], "antiquant_group_size");
}

mmarn_dtype weights_int8_out(const struct weights *weights)
{
    const int32_t gamma = weights->gamma.tensor.dtype, scale = weights->dequant_scale.tensor.dtype;
    if (gamma == MMARN_F16 || gamma == MMARN_BF16)
        return gamma;
    return scale == MMARN_I64 || scale == MMARN_U64 ? MMARN_F16 : scale == MMARN_BF16 ? MMARN_BF16 : 0;
}

void weights_release(struct weights *weights)
{
    struct array *arrays[] = {&weights->x2,
                              &weights->gamma,
                              &weights->bias,
                              &weights->dequant_scale,
                              &weights->antiquant_scale,
                              &weights->antiquant_offset};
    for (Py_ssize_t i = 0; i < LENGTH(arrays); i++)
        array_release(arrays[i]);
}
