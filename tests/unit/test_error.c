/* SPDX-License-Identifier: MIT */
/*
 * test_error.c - errors as values. A function below the public ones that fails writes its error into the struct that it
 * was given, and leaves the calling thread's last error and the logger alone; one that succeeds writes nothing. A
 * public function that fails records and logs once.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "op/group_id.h"
#include "op/growth.h"
#include "op/op.h"
#include "op/quant_word.h"

enum { K = 4, N = 16, POISON = 0xA5 };

static float x1_data[K], x2_data[K * N], y_data[N];
static mmarn_tensor x1, x2, y, no_data, wide;
static mmarn_op_config config = MMARN_OP_CONFIG_INIT;
static mmarn_step step = MMARN_STEP_INIT;
static mmarn_comm *comm;
static mmarn_op *op;

static int told;
static mmarn_status told_status;
static char told_sentence[ERROR_SENTENCE_SIZE];
static void hear(void *ctx, mmarn_status status, const char *sentence)
{
    (void)ctx;
    told++;
    told_status = status;
    strncpy(told_sentence, sentence, sizeof told_sentence - 1);
}

static int set_up(void **state)
{
    (void)state;
    mmarn_comm_config one = MMARN_COMM_CONFIG_INIT;
    x1 = mmarn_tensor_make(x1_data, MMARN_F32, 2, (int64_t[]){1, K});
    x2 = mmarn_tensor_make(x2_data, MMARN_F32, 2, (int64_t[]){K, N});
    y = mmarn_tensor_make(y_data, MMARN_F32, 2, (int64_t[]){1, N});
    no_data = mmarn_tensor_make(NULL, MMARN_F32, 2, (int64_t[]){1, N});
    wide = mmarn_tensor_make(x2_data, MMARN_F32, 2, (int64_t[]){1, K + 1});
    config.x2 = &x2;
    step.x1 = &x1;
    step.y = &y;
    one.threads = 2;
    return mmarn_comm_create(NULL, &one, &comm) != MMARN_OK || mmarn_op_create(comm, &config, &op) != MMARN_OK;
}

static int tear_down(void **state)
{
    (void)state;
    mmarn_op_destroy(op);
    mmarn_comm_destroy(comm);
    return 0;
}

/* One failure of each kind of function below the public ones. */
enum failure {
    RUN_WITHOUT_X1,
    RUN_WITHOUT_DATA,
    ONCE_NO_PRODUCT,
    MATMUL_WITHOUT_OUTPUT,
    NORM_WITHOUT_GAMMA,
    COLLECTIVE_WITHOUT_OUT,
    DRY_RUN_OF_NO_FORM,
    CREATE_NO_PRODUCT,
    DESCRIBE_NO_ROWS,
    NAME_WITH_NO_CHARACTERS,
    JOIN_WITH_NO_TRANSPORT,
    NO_ID,
    NO_WORDS,
    NO_STRUCT_SIZE,
    FAILURES
};

static bool refuse(enum failure which, struct error *error)
{
    mmarn_op_config empty = config;
    mmarn_tensor x2_empty = mmarn_tensor_make(NULL, MMARN_F32, 2, (int64_t[]){0, N});
    mmarn_step bad = step;
    mmarn_comm_config pigeon = MMARN_COMM_CONFIG_INIT;
    mmarn_op_description description = MMARN_OP_DESCRIPTION_INIT;
    mmarn_comm *joined;
    mmarn_op *made;
    mmarn_id id;
    float scale = 1;
    uint64_t word;
    pigeon.transport = "pigeon";
    empty.x2 = &x2_empty;
    switch (which) {
    case RUN_WITHOUT_X1:
        bad.x1 = NULL;
        return op_run(op, &bad, error);
    case RUN_WITHOUT_DATA:
        bad.y = &no_data;
        return op_run(op, &bad, error);
    case ONCE_NO_PRODUCT:
        bad.x1 = &wide;
        return op_once(comm, MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM, &config, &bad, error);
    case MATMUL_WITHOUT_OUTPUT:
        return op_matmul(op, &step, error);
    case NORM_WITHOUT_GAMMA:
        return op_norm(NULL, &config, &step, error);
    case COLLECTIVE_WITHOUT_OUT:
        return op_all_gather(comm, &y, NULL, error);
    case DRY_RUN_OF_NO_FORM:
        return op_check(-1, 0, 1, &config, &step, error);
    case CREATE_NO_PRODUCT:
        return op_create(comm, &empty, &made, error);
    case DESCRIBE_NO_ROWS:
        return op_describe(op, 0, &description, error);
    case NAME_WITH_NO_CHARACTERS:
        return comm_name_next(comm, "", error);
    case JOIN_WITH_NO_TRANSPORT:
        return comm_create(NULL, &pigeon, &joined, error);
    case NO_ID:
        return group_id_from_text("zz", &id, error);
    case NO_WORDS:
        return quant_words_make(&scale, 0, NULL, 0, 0, &word, error);
    default:
        bad.struct_size = 8;
        return growth_take(&growth_step, &bad, &(mmarn_step){0}, error);
    }
}

static const struct {
    mmarn_status status;
    int32_t code;
    const char *sentence;
} expected[FAILURES] = {
    [RUN_WITHOUT_X1] = {MMARN_ERR_NULL, 0, "x1 is NULL"},
    [RUN_WITHOUT_DATA] = {MMARN_ERR_NULL, 0, "y->data is NULL"},
    [ONCE_NO_PRODUCT] = {MMARN_ERR_ARGUMENT, 161002, "x1's last axis is 5"},
    [MATMUL_WITHOUT_OUTPUT] = {MMARN_ERR_NULL, 0, "mm_out is NULL"},
    [NORM_WITHOUT_GAMMA] = {MMARN_ERR_NULL, 0, "gamma is NULL"},
    [COLLECTIVE_WITHOUT_OUT] = {MMARN_ERR_NULL, 0, "out is NULL"},
    [DRY_RUN_OF_NO_FORM] = {MMARN_ERR_ARGUMENT, 0, "form is -1"},
    [CREATE_NO_PRODUCT] = {MMARN_ERR_ARGUMENT, 161002, "k is 0"},
    [DESCRIBE_NO_ROWS] = {MMARN_ERR_ARGUMENT, 0, "rows is 0"},
    [NAME_WITH_NO_CHARACTERS] = {MMARN_ERR_ARGUMENT, 0, "name has 0 characters"},
    [JOIN_WITH_NO_TRANSPORT] = {MMARN_ERR_UNSUPPORTED, 0, "transport is \"pigeon\""},
    [NO_ID] = {MMARN_ERR_ARGUMENT, 0, "text is \"zz"},
    [NO_WORDS] = {MMARN_ERR_ARGUMENT, 0, "scale_count is 0"},
    [NO_STRUCT_SIZE] = {MMARN_ERR_ARGUMENT, 0, "step->struct_size is 8"},
};

static void values(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(mmarn_op_run(NULL, NULL), MMARN_ERR_NULL);
    mmarn_set_logger(hear, NULL);
    told = 0;
    for (enum failure which = 0; which < FAILURES; which++) {
        memset(&error, POISON, sizeof error);
        assert_false(refuse(which, &error));
        assert_int_equal(error.status, expected[which].status);
        assert_int_equal(error.code, expected[which].code);
        if (!strstr(error.sentence, expected[which].sentence))
            fail_msg("\"%s\" without \"%s\"", error.sentence, expected[which].sentence);
        assert_string_equal(mmarn_last_error(), "op is NULL but it is required");
        assert_int_equal(mmarn_last_code(), 161001);
    }
    mmarn_set_logger(NULL, NULL);
    assert_int_equal(told, 0);
}

static void success_writes_nothing(void **state)
{
    (void)state;
    struct error error, untouched;
    mmarn_step partial = MMARN_STEP_INIT;
    mmarn_op_description description = MMARN_OP_DESCRIPTION_INIT;
    partial.x1 = &x1;
    partial.mm_out = &y;
    memset(&error, POISON, sizeof error);
    memset(&untouched, POISON, sizeof untouched);
    assert_true(op_run(op, &step, &error));
    assert_true(op_once(comm, MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM, &config, &step, &error));
    assert_true(op_matmul(op, &partial, &error));
    assert_true(op_check(MMARN_FORM_OP_MATMUL, 0, 1, &config, &partial, &error));
    assert_true(op_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &y, &y, &error));
    assert_true(op_describe(op, 1, &description, &error));
    assert_memory_equal(&error, &untouched, sizeof error);
}

/* Also if coll has recorded the failure, on any thread of the rank. */
static void public_functions_record_and_log_once(void **state)
{
    (void)state;
    mmarn_comm_config one = MMARN_COMM_CONFIG_INIT;
    mmarn_comm *other = NULL;
    mmarn_step bad = step;
    one.threads = 3;
    assert_int_equal(mmarn_comm_create(NULL, &one, &other), MMARN_OK);
    mmarn_set_logger(hear, NULL);
    told = 0;
    bad.x1 = &wide;
    assert_int_equal(mmarn_op_run(op, &bad), MMARN_ERR_ARGUMENT);
    assert_int_equal(told, 1);
    assert_int_equal(told_status, MMARN_ERR_ARGUMENT);
    assert_string_equal(told_sentence, mmarn_last_error());
    assert_int_equal(mmarn_last_code(), 161002);
    mmarn_comm_abort(other);
    assert_int_equal(mmarn_all_reduce(other, MMARN_NUMERICS_DEFAULT, &y, &y), MMARN_ERR_ABORTED);
    assert_int_equal(told, 2);
    assert_int_equal(told_status, MMARN_ERR_ABORTED);
    assert_string_equal(told_sentence, mmarn_last_error());
    assert_non_null(strstr(told_sentence, "rank 0 aborted the group"));
    assert_int_equal(mmarn_last_code(), 561000);
    mmarn_set_logger(NULL, NULL);
    mmarn_comm_destroy(other);
}

static void *fresh_thread(void *ctx)
{
    bool *clean = ctx;
    *clean = mmarn_last_code() == 0 && mmarn_last_error()[0] == '\0';
    mmarn_op_run(NULL, NULL);
    *clean = *clean && mmarn_last_code() == 161001;
    return NULL;
}

static void each_thread_has_its_own(void **state)
{
    (void)state;
    pthread_t thread;
    bool clean = false;
    assert_int_equal(mmarn_check(-1, 0, 1, NULL, NULL), MMARN_ERR_ARGUMENT);
    assert_int_equal(pthread_create(&thread, NULL, fresh_thread, &clean), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(clean);
    assert_int_equal(mmarn_last_code(), 561002);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(success_writes_nothing),
        cmocka_unit_test(public_functions_record_and_log_once),
        cmocka_unit_test(each_thread_has_its_own),
    };
    return cmocka_run_group_tests_name("error", tests, set_up, tear_down);
}
