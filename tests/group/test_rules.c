/* SPDX-License-Identifier: MIT */
/*
 * test_rules.c - every rule of the operator's arguments (rules.inc): its status, its sentence, and outputs left as they
 * were. Each row is a test. It makes one call in every way that there is: at once; with mmarn_op_create and
 * mmarn_op_run; by mmarn_check, which has no data; and within the limits of npu_mm_all_reduce_add_rms_norm.
 *
 * test_rules NAME runs the tests of that name alone; * and ? stand for other characters.
 */
#include <errno.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "group.h"
#include "rule_call.h"

enum { OK = MMARN_OK, NIL = MMARN_ERR_NULL, ARG = MMARN_ERR_ARGUMENT, UNS = MMARN_ERR_UNSUPPORTED };

/* What the original says: nothing that is known; yes; or mmarn_last_code. */
enum { UNSAID = 0, ACCEPTED = 1, NULL_CODE = 161001, SHAPE = 161002, REST = 561002 };

/* MEMORY: the rule is about addresses, so mmarn_check accepts the call. AT_ONCE: mmarn_op_create and mmarn_op_run say
   something else, as packed weights are a copy, and create checks all of its configuration before run sees a step. */
enum { MEMORY = 1, AT_ONCE = 2 };

#define ROW(begun, changed, statement, ...)                                                                            \
    static void changed(struct call *c)                                                                                \
    {                                                                                                                  \
        statement;                                                                                                     \
    }
#define AGAIN(...)
#include "rules.inc"
#undef ROW
#undef AGAIN

static struct row {
    const char *name;
    enum start start;
    void (*change)(struct call *);
    mmarn_status status;
    const char *text; /* pieces of the sentence, " ... " between them */
    int32_t original;
    int exceptions;
} rows[] = {
#define AGAIN(begun, changed, says, ...)                                                                               \
    {.name = #begun " " #changed, .start = START_##begun, .change = changed, .status = says, .text = __VA_ARGS__},
#define ROW(begun, changed, statement, ...) AGAIN(begun, changed, __VA_ARGS__)
#include "rules.inc"
};
enum { ROWS = sizeof rows / sizeof *rows };

static mmarn_comm *comm;

/* A new call of the row, with outputs poisoned. */
static struct call *begin(const struct row *row, struct call *c)
{
    call_poison();
    call_begin(c, row->start);
    row->change(c);
    return c;
}

/* Are all pieces in the sentence, in their order? */
static bool has_pieces(const char *sentence, const char *pieces)
{
    static const char between[] = " ... ";
    for (const char *end; (end = strstr(pieces, between)); pieces = end + strlen(between)) {
        const size_t length = (size_t)(end - pieces);
        const char *found = memmem(sentence, strlen(sentence), pieces, length);
        if (!found)
            return false;
        sentence = found + length;
    }
    return strstr(sentence, pieces);
}

static const char *repeat(const struct row *row)
{
    static char text[256];
    snprintf(text, sizeof text, "repeat with: MMARN_TEST_SEED=%llu %s '%s'", (unsigned long long)test_seed(),
             program_invocation_name, row->name);
    return text;
}

static void expect(const struct row *row, const char *way, mmarn_status got, mmarn_status status)
{
    if (got != status)
        fail_msg("%s, %s: %s (%s) instead of %s\n  %s", row->name, way, mmarn_status_string(got),
                 got ? mmarn_last_error() : "", mmarn_status_string(status), repeat(row));
    if (got != MMARN_OK && !has_pieces(mmarn_last_error(), row->text))
        fail_msg("%s, %s: \"%s\" is not in: %s\n  %s", row->name, way, row->text, mmarn_last_error(), repeat(row));
    if (got != MMARN_OK && !call_outputs_untouched())
        fail_msg("%s, %s: refused, but an output has changed\n  %s", row->name, way, repeat(row));
}

/* Within the original's limits the code counts: of two rules that are broken, another may come first. */
static void expect_original(const struct row *row)
{
    struct call c;
    begin(row, &c)->ascend.flags = MMARN_ASCEND_LIMITS;
    const mmarn_status status = call_at_once(comm, &c);
    const int32_t code = status == MMARN_OK ? ACCEPTED : mmarn_last_code();
    if (code != row->original)
        fail_msg("%s, with limits: %d (%s) instead of %d\n  %s", row->name, (int)code, status ? mmarn_last_error() : "",
                 (int)row->original, repeat(row));
    if (status != MMARN_OK && !call_outputs_untouched())
        fail_msg("%s, with limits: refused, but an output has changed\n  %s", row->name, repeat(row));
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct call c;
    expect(row, "at once", call_at_once(comm, begin(row, &c)), row->status);
    if (c.form == MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM && !(row->exceptions & AT_ONCE))
        expect(row, "create and run", call_in_two(comm, begin(row, &c)), row->status);
    expect(row, "mmarn_check", call_check(begin(row, &c)), row->exceptions & MEMORY ? MMARN_OK : row->status);
    if (row->original != UNSAID)
        expect_original(row);
}

/* ------------------------------------------------------------------------------------- what is no row of the table */

static void handles(void **state)
{
    (void)state;
    struct call c;
    mmarn_op *op = NULL;
    call_begin(&c, START_f16);
    assert_int_equal(mmarn_op_create(NULL, &c.config, &op), NIL);
    assert_int_equal(mmarn_op_create(comm, &c.config, NULL), NIL);
    assert_int_equal(mmarn_op_create(comm, NULL, &op), NIL);
    assert_int_equal(mmarn_op_run(NULL, &c.step), NIL);
    assert_int_equal(mmarn_mm_all_reduce_add_rms_norm(NULL, &c.config, &c.step), NIL);
    assert_int_equal(mmarn_all_reduce(NULL, MMARN_NUMERICS_DEFAULT, &c.x1, &c.x1), NIL);
    assert_int_equal(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, NULL, &c.x1), NIL);
    assert_int_equal(mmarn_all_reduce(comm, MMARN_NUMERICS_DEFAULT, &c.x1, &c.x2), ARG);
    assert_int_equal(mmarn_op_matmul(NULL, &c.step), NIL);
    mmarn_op_destroy(NULL);
    mmarn_comm_destroy(NULL);
    mmarn_comm_abort(NULL);
}

/* Rows of a rank's own, and what belongs to the group. */
static void checks_of_other_ranks(void **state)
{
    (void)state;
    enum { OP = MMARN_FORM_MM_ALL_REDUCE_ADD_RMS_NORM };
    struct call c;
    call_begin(&c, START_op);
    c.config.flags = MMARN_SHARD_ROWS;
    assert_int_equal(mmarn_check(OP, 0, 3, &c.config, &c.step), ARG);
    assert_non_null(strstr(mmarn_last_error(), "of which rank 0 of 3 has 2"));
    reshape(&c.residual, 2, 2, N, 0);
    reshape(&c.y, 2, 2, N, 0);
    reshape(&c.norm_out, 2, 2, N, 0);
    assert_int_equal(mmarn_check(OP, 0, 3, &c.config, &c.step), OK);
    assert_int_equal(mmarn_check(OP, 1, 3, &c.config, &c.step), ARG);
    assert_int_equal(mmarn_check(OP, 3, 3, &c.config, &c.step), ARG);
    assert_int_equal(mmarn_check(OP, 0, 65, &c.config, &c.step), ARG);
    assert_int_equal(mmarn_check(-1, 0, 1, &c.config, &c.step), ARG);
    assert_int_equal(mmarn_check(8, 0, 1, &c.config, &c.step), ARG);
    assert_non_null(strstr(mmarn_last_error(), "form is 8"));
    assert_int_equal(mmarn_check(OP, 0, 1, NULL, &c.step), NIL);
    assert_int_equal(mmarn_check(OP, 0, 1, &c.config, NULL), OK); /* the weights alone */
    c.config.epsilon = -1;
    assert_int_equal(mmarn_check(OP, 0, 1, &c.config, NULL), ARG);
    c.config.epsilon = 1;
    c.config.x2 = NULL;
    assert_int_equal(mmarn_check(OP, 0, 1, &c.config, NULL), NIL);
    assert_int_equal(mmarn_check(MMARN_FORM_ADD_RMS_NORM, 0, 1, &c.config, NULL), NIL);
    assert_int_equal(mmarn_check(MMARN_FORM_ALL_REDUCE, 0, 1, &c.config, NULL), NIL);
}

static bool create_with_limits(struct group_rank *rank, void *ctx)
{
    const bool allowed = *(const bool *)ctx;
    mmarn_comm *group = group_join(rank, 1);
    if (!group)
        return false;
    struct call c;
    call_begin(&c, START_f16);
    mmarn_op *op = NULL;
    EXPECT_STATUS(mmarn_op_create(group, &c.config, &op), MMARN_OK);
    mmarn_op_destroy(op);
    c.ascend.flags = MMARN_ASCEND_LIMITS;
    EXPECT_STATUS(mmarn_op_create(group, &c.config, &op), allowed ? MMARN_OK : MMARN_ERR_UNSUPPORTED);
    EXPECT(allowed || mmarn_last_code() == REST, "the code is %d", (int)mmarn_last_code());
    if (allowed)
        mmarn_op_destroy(op);
    mmarn_comm_destroy(group);
    return true;
}

/* The original takes 1, 2, 4 and 8 ranks, the library any number. */
static void world_sizes(void **state)
{
    (void)state;
    for (int world_size = 1; world_size <= 9; world_size++) {
        bool allowed = world_size == 1 || world_size == 2 || world_size == 4 || world_size == 8;
        assert_true(group_run(GROUP_THREADS, world_size, create_with_limits, &allowed));
    }
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[ROWS + 3] = {
        cmocka_unit_test(handles),
        cmocka_unit_test(checks_of_other_ranks),
        cmocka_unit_test(world_sizes),
    };
    for (int i = 0; i < ROWS; i++)
        tests[3 + i] = (struct CMUnitTest){.name = rows[i].name, .test_func = check_row, .initial_state = &rows[i]};
    bool found = argc == 1;
    for (int i = 0; i < ROWS + 3 && argc == 2; i++)
        found = found || fnmatch(argv[1], tests[i].name, 0) == 0;
    if (!found) {
        fprintf(stderr, "usage: test_rules [NAME]; no test has the name \"%s\"\n", argv[argc - 1]);
        return 2;
    }
    if (argc == 2)
        cmocka_set_test_filter(argv[1]);
    const mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    if (mmarn_comm_create(NULL, &config, &comm) != MMARN_OK)
        return 1;
    call_memory_make();
    const int failures = cmocka_run_group_tests_name("rules", tests, NULL, NULL);
    call_memory_free();
    mmarn_comm_destroy(comm);
    return failures;
}
