/* SPDX-License-Identifier: MIT */
/*
 * test_growth.c - the rule for structs that grow, for each of them. Callers that are older or newer than the library
 * work; a newer one that sets a field unknown to the library is refused; and a size that no caller can have is refused
 * without reading beyond struct_size. Every struct ends at a page that cannot be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "mmarn/mmarn_ascend.h"

enum { K = 4, N = 8, POISON = 0xA5 };

static float x2_data[K * N], gamma_data[N], out_data[K * N];
static mmarn_tensor x2, gamma_view, out;
static mmarn_comm *comm;
static char *wall; /* the first byte that cannot be read */

static mmarn_status join(const void *given)
{
    mmarn_comm *made = NULL;
    mmarn_status status = mmarn_comm_create(NULL, given, &made);
    assert_int_equal(made != NULL, status == MMARN_OK);
    mmarn_comm_destroy(made);
    return status;
}

static void fill_join(void *given)
{
    *(mmarn_comm_config *)given = (mmarn_comm_config)MMARN_COMM_CONFIG_INIT;
}

static mmarn_status init_join(void *given, size_t size)
{
    return mmarn_comm_config_init(given, size);
}

static mmarn_status create(const void *given)
{
    mmarn_op *op = NULL;
    mmarn_status status = mmarn_op_create(comm, given, &op);
    assert_int_equal(op != NULL, status == MMARN_OK);
    mmarn_op_destroy(op);
    return status;
}

static void fill_create(void *given)
{
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2;
    config.gamma = &gamma_view;
    memcpy(given, &config, sizeof config);
}

static mmarn_status init_create(void *given, size_t size)
{
    return mmarn_op_config_init(given, size);
}

static mmarn_status run(const void *given)
{
    return mmarn_add_rms_norm(comm, &(mmarn_op_config){sizeof(mmarn_op_config), .gamma = &gamma_view, .epsilon = 1},
                              given);
}

static void fill_run(void *given)
{
    mmarn_step step = MMARN_STEP_INIT;
    step.x1 = &x2;
    step.norm_out = &out;
    memcpy(given, &step, sizeof step);
}

static mmarn_status init_run(void *given, size_t size)
{
    return mmarn_step_init(given, size);
}

static mmarn_status create_ascend(const void *given)
{
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2;
    config.gamma = &gamma_view;
    config.ascend = given;
    return create(&config);
}

static void fill_ascend(void *given)
{
    *(mmarn_ascend_options *)given = (mmarn_ascend_options)MMARN_ASCEND_OPTIONS_INIT;
}

static mmarn_status init_ascend(void *given, size_t size)
{
    return mmarn_ascend_options_init(given, size);
}

/* An output: the fields that the library knows are filled. */
static mmarn_status describe(const void *given)
{
    mmarn_op_config config = MMARN_OP_CONFIG_INIT;
    config.x2 = &x2;
    mmarn_op *op = NULL;
    assert_int_equal(mmarn_op_create(comm, &config, &op), MMARN_OK);
    const mmarn_status status = mmarn_op_describe(op, 3, (mmarn_op_description *)(uintptr_t)given);
    if (status == MMARN_OK)
        assert_string_equal(((const mmarn_op_description *)given)->layout, "packed");
    mmarn_op_destroy(op);
    return status;
}

static void fill_describe(void *given)
{
    *(mmarn_op_description *)given = (mmarn_op_description)MMARN_OP_DESCRIPTION_INIT;
}

static mmarn_status init_describe(void *given, size_t size)
{
    return mmarn_op_description_init(given, size);
}

/* size and first: of this library's struct, and of its first form, from which the ABI promises start. */
static const struct grown {
    const char *type;
    size_t size, first;
    void (*fill)(void *given); /* a valid struct */
    mmarn_status (*call)(const void *given);
    mmarn_status (*init)(void *given, size_t size);
} structs[] = {
    {"mmarn_comm_config", sizeof(mmarn_comm_config), 40, fill_join, join, init_join},
    {"mmarn_op_config", sizeof(mmarn_op_config), offsetof(mmarn_op_config, dequant_scale), fill_create, create,
     init_create},
    {"mmarn_step", sizeof(mmarn_step), offsetof(mmarn_step, x1_scale), fill_run, run, init_run},
    {"mmarn_op_description", sizeof(mmarn_op_description), offsetof(mmarn_op_description, weight_bytes), fill_describe,
     describe, init_describe},
    {"mmarn_ascend_options", sizeof(mmarn_ascend_options), 24, fill_ascend, create_ascend, init_ascend},
};
enum { STRUCTS = sizeof structs / sizeof *structs };

/* A valid struct of `size` bytes that ends at the wall, zero beyond the known fields; its struct_size is `told`. */
static char *at_wall(const struct grown *grown, size_t size, size_t told)
{
    char whole[512] = {0};
    assert_true(sizeof whole >= grown->size);
    grown->fill(whole);
    char *given = wall - size;
    memset(given, 0, size);
    memcpy(given, whole, size < grown->size ? size : grown->size);
    memcpy(given, &told, sizeof told);
    return given;
}

static void expect(const struct grown *grown, size_t size, mmarn_status status, const char *text, mmarn_status got)
{
    if (got != status)
        fail_msg("%s of %zu bytes: %s (%s)", grown->type, size, mmarn_status_string(got), mmarn_last_error());
    if (status != MMARN_OK && !strstr(mmarn_last_error(), text))
        fail_msg("%s of %zu bytes: \"%s\" is not in: %s", grown->type, size, text, mmarn_last_error());
}

static void older_and_newer_callers_work(void **state)
{
    (void)state;
    for (int i = 0; i < STRUCTS; i++) {
        assert_true(structs[i].first < structs[i].size);
        for (size_t size = structs[i].first; size <= 4096; size += 8)
            expect(&structs[i], size, MMARN_OK, "", structs[i].call(at_wall(&structs[i], size, size)));
    }
}

static void what_is_not_known_must_be_zero(void **state)
{
    (void)state;
    for (int i = 0; i < STRUCTS; i++) {
        const size_t size = structs[i].size + 24;
        for (size_t at = structs[i].size; at < size; at++) {
            char *given = at_wall(&structs[i], size, size), text[32];
            given[at] = 1;
            snprintf(text, sizeof text, "byte %zu is set", at);
            expect(&structs[i], size, MMARN_ERR_UNSUPPORTED, text, structs[i].call(given));
        }
    }
}

/* Only struct_size itself can be read: any read beyond it faults. */
static void sizes_that_cannot_be_are_refused_unread(void **state)
{
    (void)state;
    for (int i = 0; i < STRUCTS; i++) {
        const size_t sizes[] = {0,    1,       7,       8,        structs[i].first - 8, structs[i].first + 4,   4097,
                                4104, 1 << 20, 1 << 30, SIZE_MAX, SIZE_MAX - 7,         (size_t)PTRDIFF_MAX + 1};
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++)
            expect(&structs[i], sizes[j], MMARN_ERR_ARGUMENT, structs[i].type,
                   structs[i].call(at_wall(&structs[i], sizeof(size_t), sizes[j])));
    }
}

static void init_functions_do_as_the_macros(void **state)
{
    (void)state;
    for (int i = 0; i < STRUCTS; i++) {
        const struct grown *grown = &structs[i];
        char whole[512] = {0};
        assert_int_equal(grown->init(whole, grown->size), MMARN_OK);
        for (size_t size = grown->first; size < grown->size + 32; size += 8) {
            char made[512], expected[512] = {0};
            memset(made, POISON, sizeof made);
            memcpy(expected, whole, grown->size);
            memcpy(expected, &size, sizeof size);
            assert_int_equal(grown->init(made, size), MMARN_OK);
            assert_memory_equal(made, expected, size);
            for (size_t at = size; at < sizeof made; at++)
                assert_int_equal((unsigned char)made[at], POISON);
        }
        unsigned char untouched = POISON;
        expect(grown, 1, MMARN_ERR_ARGUMENT, grown->type, grown->init(&untouched, 1));
        assert_int_equal(untouched, POISON);
        assert_int_equal(grown->init(NULL, grown->size), MMARN_ERR_NULL);
    }
    mmarn_comm_config by_macro = MMARN_COMM_CONFIG_INIT, by_function;
    mmarn_op_config op_by_macro = MMARN_OP_CONFIG_INIT, op_by_function;
    mmarn_comm_config_init(&by_function, sizeof by_function);
    mmarn_op_config_init(&op_by_function, sizeof op_by_function);
    mmarn_step step_by_macro = MMARN_STEP_INIT, step_by_function;
    mmarn_ascend_options ascend_by_macro = MMARN_ASCEND_OPTIONS_INIT, ascend_by_function;
    mmarn_step_init(&step_by_function, sizeof step_by_function);
    mmarn_ascend_options_init(&ascend_by_function, sizeof ascend_by_function);
    assert_memory_equal(&step_by_macro, &step_by_function, sizeof step_by_macro);
    assert_memory_equal(&ascend_by_macro, &ascend_by_function, sizeof ascend_by_macro);
    assert_memory_equal(&by_macro, &by_function, sizeof by_macro);
    assert_memory_equal(&op_by_macro, &op_by_function, sizeof op_by_macro);
}

int main(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (4096 / page + 1) * page;
    char *memory = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + room, page, PROT_NONE) != 0)
        return 1;
    wall = memory + room;
    for (int i = 0; i < K * N; i++)
        x2_data[i] = (float)i - 7.5F;
    for (int i = 0; i < N; i++)
        gamma_data[i] = (float)i + 0.5F;
    x2 = mmarn_tensor_make(x2_data, MMARN_F32, 2, (int64_t[]){K, N});
    out = mmarn_tensor_make(out_data, MMARN_F32, 2, (int64_t[]){K, N});
    gamma_view = mmarn_tensor_make(gamma_data, MMARN_F32, 1, (int64_t[]){N});
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    if (mmarn_comm_create(NULL, &config, &comm) != MMARN_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_and_newer_callers_work),
        cmocka_unit_test(what_is_not_known_must_be_zero),
        cmocka_unit_test(sizes_that_cannot_be_are_refused_unread),
        cmocka_unit_test(init_functions_do_as_the_macros),
    };
    int failures = cmocka_run_group_tests_name("structs that grow", tests, NULL, NULL);
    mmarn_comm_destroy(comm);
    return failures;
}
