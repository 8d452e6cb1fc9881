/* SPDX-License-Identifier: MIT */
/*
 * test_doors.c - the rules of what stands around the operator: groups, names, ids, versions, the logger; and NULL at
 * every function that takes a pointer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmarn/mmarn_ascend.h"

enum { POISON = 0xA5 };

static uint16_t x1_data[4];
static mmarn_comm *comm;

static void groups(void **state)
{
    (void)state;
    mmarn_comm *none = NULL;
    static const struct {
        mmarn_comm_config config;
        mmarn_status status;
        const char *text;
    } lines[] = {
        {{sizeof(mmarn_comm_config), NULL, NULL, 0, 0, 0, 0, NULL, NULL, 0}, MMARN_ERR_ARGUMENT, "world_size is 0"},
        {{sizeof(mmarn_comm_config), NULL, NULL, 0, 65, 0, 0, NULL, NULL, 0}, MMARN_ERR_ARGUMENT, "world_size is 65"},
        {{sizeof(mmarn_comm_config), NULL, NULL, 1, 1, 0, 0, NULL, NULL, 0}, MMARN_ERR_ARGUMENT, "rank is 1"},
        {{sizeof(mmarn_comm_config), NULL, NULL, -1, 1, 0, 0, NULL, NULL, 0}, MMARN_ERR_ARGUMENT, "rank is -1"},
        {{sizeof(mmarn_comm_config), NULL, NULL, 0, 1, -2, 0, NULL, NULL, 0}, MMARN_ERR_ARGUMENT, "threads is -2"},
        {{sizeof(mmarn_comm_config), NULL, NULL, 0, 1, 1025, 0, NULL, NULL, 0},
         MMARN_ERR_ARGUMENT,
         "threads is 1025; a rank has 1 to 1024"},
        {{sizeof(mmarn_comm_config), NULL, "shm", 0, 1, 100000, 0, NULL, NULL, 0},
         MMARN_ERR_ARGUMENT,
         "threads is 100000"},
        {{sizeof(mmarn_comm_config), NULL, NULL, 0, 2, 1025, 0, NULL, NULL, 0}, MMARN_ERR_ARGUMENT, "threads is 1025"},
        {{sizeof(mmarn_comm_config), NULL, NULL, 1, 2, INT32_MAX, 0, NULL, NULL, 0}, MMARN_ERR_ARGUMENT, "1 to 1024"},
        {{sizeof(mmarn_comm_config), NULL, NULL, 0, 2, INT32_MIN, 0, NULL, NULL, 0}, MMARN_ERR_ARGUMENT, "1 to 1024"},
        {{sizeof(mmarn_comm_config), NULL, NULL, 0, 2, 0, 0, NULL, NULL, 0}, MMARN_ERR_NULL, "id is NULL"},
        {{sizeof(mmarn_comm_config), "", NULL, 0, 1, 0, 0, NULL, NULL, 0}, MMARN_ERR_ARGUMENT, "name has 0"},
        {{sizeof(mmarn_comm_config), "a\nb", NULL, 0, 1, 0, 0, NULL, NULL, 0},
         MMARN_ERR_ARGUMENT,
         "character 1 is 0x0a"},
        {{sizeof(mmarn_comm_config), NULL, "pigeon", 0, 1, 0, 0, NULL, NULL, 0}, MMARN_ERR_UNSUPPORTED, "pigeon"},
        {{sizeof(mmarn_comm_config), NULL, NULL, 0, 1, 0, 0, NULL, NULL, 6}, MMARN_ERR_UNSUPPORTED, "flags is 0x6"},
        {{sizeof(mmarn_comm_config), NULL, NULL, 0, 1, 0, 0, NULL, NULL, (uint64_t)1 << 40},
         MMARN_ERR_UNSUPPORTED,
         "flags is 0x10000000000"},
        {{1, NULL, NULL, 0, 1, 0, 0, NULL, NULL, 0}, MMARN_ERR_ARGUMENT, "struct_size is 1"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(mmarn_comm_create(NULL, &lines[i].config, &none), lines[i].status);
        assert_non_null(strstr(mmarn_last_error(), lines[i].text));
        assert_null(none);
    }
    assert_int_equal(mmarn_comm_create(NULL, NULL, &none), MMARN_ERR_NULL);
    assert_int_equal(mmarn_id_create(NULL), MMARN_ERR_NULL);
    mmarn_comm_config most = MMARN_COMM_CONFIG_INIT;
    most.threads = MMARN_MAX_THREADS;
    assert_int_equal(mmarn_comm_create(NULL, &most, &none), MMARN_OK);
    mmarn_comm_destroy(none);
}

static void names(void **state)
{
    (void)state;
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    config.name = "tensor-parallel";
    mmarn_comm *named = NULL, *second = NULL, *found = NULL;
    assert_int_equal(mmarn_comm_create(NULL, &config, &named), MMARN_OK);
    assert_int_equal(mmarn_comm_create(NULL, &config, &second), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_comm_find("tensor-parallel", &found), MMARN_OK);
    assert_ptr_equal(found, named);
    mmarn_comm_destroy(named);
    assert_int_equal(mmarn_comm_find("tensor-parallel", &found), MMARN_ERR_ARGUMENT);
    assert_non_null(strstr(mmarn_last_error(), "tensor-parallel"));
}

/* Functions that have nothing to say about NULL but that they survive it. */
static void nulls_elsewhere(void **state)
{
    (void)state;
    mmarn_id id;
    char text[MMARN_ID_TEXT_SIZE];
    const mmarn_tensor shapeless = mmarn_tensor_make(x1_data, MMARN_F16, 2, NULL), none = mmarn_tensor_transpose(NULL);
    assert_int_equal(shapeless.ndim, 0);
    assert_int_equal(none.ndim, 0);
    assert_null(none.data);
    assert_int_equal(mmarn_tensor_make_const(NULL, MMARN_F16, 3, NULL).ndim, 0);
    assert_int_equal(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &shapeless, &shapeless), MMARN_ERR_ARGUMENT);
    assert_int_equal(mmarn_id_create(&id), MMARN_OK);
    assert_int_equal(mmarn_id_to_text(NULL, text, sizeof text), MMARN_ERR_NULL);
    assert_int_equal(mmarn_id_to_text(&id, NULL, sizeof text), MMARN_ERR_NULL);
    assert_int_equal(mmarn_id_from_text(NULL, &id), MMARN_ERR_NULL);
    assert_int_equal(mmarn_id_from_text(text, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_id_from_env(NULL, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_comm_find(NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_comm_rank(NULL, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_comm_rank(comm, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_comm_name_next(NULL, NULL), MMARN_ERR_NULL);
    mmarn_op *op = NULL;
    int64_t first;
    assert_int_equal(mmarn_op_create(NULL, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_op_create(comm, NULL, &op), MMARN_ERR_NULL);
    assert_int_equal(mmarn_op_run(NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_op_matmul(NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_all_reduce(comm, 0, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_reduce_scatter(comm, 0, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_reduce_scatter(NULL, 0, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_all_gather(comm, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_all_gather(NULL, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_mm_all_reduce_add_rms_norm(comm, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_mm_all_reduce(comm, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_mm_all_reduce(NULL, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_all_reduce_add_rms_norm(comm, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_all_reduce_add_rms_norm(NULL, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_add_rms_norm(NULL, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_add_rms_norm(comm, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_shard(1, 0, 1, NULL, &first), MMARN_ERR_NULL);
    assert_int_equal(mmarn_shard(1, 0, 1, &first, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_comm_create(NULL, NULL, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_comm_refuse(NULL, "why"), MMARN_ERR_NULL);
    assert_int_equal(mmarn_comm_refuse(comm, NULL), MMARN_ERR_NULL);
    assert_int_equal(mmarn_trans_quant_param(NULL, 1, NULL, 0, 0, NULL), MMARN_ERR_NULL);
    assert_true(mmarn_describe(NULL, 100) > 100);
    assert_string_equal(mmarn_status_string(INT32_MIN), "an unknown mmarn_status");
    assert_string_equal(mmarn_status_string(INT32_MAX), "an unknown mmarn_status");
    assert_string_equal(mmarn_status_string(MMARN_ERR_BUSY), "MMARN_ERR_BUSY");
    assert_string_equal(mmarn_status_string(MMARN_ERR_BUSY - 1), "an unknown mmarn_status");
    assert_string_equal(mmarn_status_string(1), "an unknown mmarn_status");
}

static void ids_as_text(void **state)
{
    (void)state;
    mmarn_id id, read;
    char text[MMARN_ID_TEXT_SIZE];
    assert_int_equal(mmarn_id_create(&id), MMARN_OK);
    memset(text, POISON, sizeof text);
    assert_int_equal(mmarn_id_to_text(&id, text, sizeof text - 1), MMARN_ERR_ARGUMENT);
    assert_int_equal((unsigned char)text[0], POISON);
    assert_int_equal(mmarn_id_to_text(&id, text, sizeof text), MMARN_OK);
    assert_int_equal(strlen(text), MMARN_ID_TEXT_SIZE - 1);
    assert_int_equal(mmarn_id_from_text(text, &read), MMARN_OK);
    assert_memory_equal(&read, &id, sizeof id);
    assert_int_equal(mmarn_id_from_text(text + 1, &read), MMARN_ERR_ARGUMENT);
    memset(&id, 7, sizeof id);
    assert_int_equal(mmarn_id_to_text(&id, text, sizeof text), MMARN_ERR_ARGUMENT);
}

static void versions(void **state)
{
    (void)state;
    assert_int_equal(mmarn_version_check(MMARN_VERSION), MMARN_OK);
    assert_int_equal(mmarn_version_check(MMARN_VERSION + 1), MMARN_OK); /* another patch */
    assert_int_equal(mmarn_version_check(MMARN_VERSION + 100), MMARN_ERR_UNSUPPORTED);
    assert_int_equal(mmarn_version_check(MMARN_VERSION + 10000), MMARN_ERR_UNSUPPORTED);
    assert_non_null(strstr(mmarn_last_error(), mmarn_version()));
    assert_int_equal(mmarn_version_check(-1), MMARN_ERR_UNSUPPORTED);
    assert_int_equal(mmarn_version_check(INT32_MIN), MMARN_ERR_UNSUPPORTED);
}

static int told;
static void count_failures(void *ctx, mmarn_status status, const char *sentence)
{
    (void)ctx;
    told += status == MMARN_ERR_NULL && strstr(sentence, "id is NULL");
}

static void logger(void **state)
{
    (void)state;
    mmarn_set_logger(count_failures, NULL);
    mmarn_id_create(NULL);
    mmarn_set_logger(NULL, NULL);
    mmarn_id_create(NULL);
    assert_int_equal(told, 1);
}

static void identity_from_environment(void **state)
{
    (void)state;
    mmarn_id id;
    int32_t rank = -7, world_size = -7;
    assert_int_equal(mmarn_id_from_env(&id, &rank, &world_size), MMARN_ERR_ARGUMENT);
    assert_non_null(strstr(mmarn_last_error(), "MMARN_WORLD_SIZE is not set"));
    setenv("MMARN_WORLD_SIZE", "4x", 1);
    assert_int_equal(mmarn_id_from_env(&id, &rank, &world_size), MMARN_ERR_ARGUMENT);
    assert_non_null(strstr(mmarn_last_error(), "\"4x\""));
    setenv("MMARN_WORLD_SIZE", "4", 1);
    setenv("MMARN_RANK", "2", 1);
    setenv("MMARN_ID", "zz", 1);
    assert_int_equal(mmarn_id_from_env(&id, &rank, &world_size), MMARN_ERR_ARGUMENT);
    assert_non_null(strstr(mmarn_last_error(), "MMARN_ID is \"zz"));
    assert_int_equal(rank, -7);
}

int main(void)
{
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    if (mmarn_comm_create(NULL, &config, &comm) != MMARN_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nulls_elsewhere),
        cmocka_unit_test(ids_as_text),
        cmocka_unit_test(versions),
        cmocka_unit_test(groups),
        cmocka_unit_test(names),
        cmocka_unit_test(logger),
        cmocka_unit_test(identity_from_environment),
    };
    int failures = cmocka_run_group_tests_name("doors", tests, NULL, NULL);
    mmarn_comm_destroy(comm);
    return failures;
}
