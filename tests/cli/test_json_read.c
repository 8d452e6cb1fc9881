/* SPDX-License-Identifier: MIT */
/*
 * test_json_read.c - measure/json_read.h on texts that are JSON and texts that are not, each on the heap and no longer
 * than it must be, so that AddressSanitizer sees a read beyond it; and on what measure/json.h writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure/json.h"
#include "measure/json_read.h"
#include "support/inputs.h"
#include "support/seed.h"

static bool is_json(const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    const bool is = json_root(copy);
    free(copy);
    return is;
}

static void what_is_json_is_told(void **state)
{
    static const char *const good[] = {"0",
                                       "-0.5e+10",
                                       " [ ] ",
                                       "{}",
                                       "\"\"",
                                       "\"\\u00aF\\n\\\\\"",
                                       "true",
                                       "null\n",
                                       "[1,[2,{\"a\":[false]}]]",
                                       "{\"a\": 1, \"b\": {\"a\": 2}}",
                                       "\t[1\r\n, 2]"};
    static const char *const bad[] = {"",       " ",       "01",        "-",           "1.",       ".5",    "1e",
                                      "+1",     "[",       "[1",        "[1,",         "[1,]",     "[,1]",  "{",
                                      "{\"a\"", "{\"a\":", "{\"a\":1",  "{\"a\":1,}",  "{a:1}",    "{1:2}", "\"",
                                      "\"\\",   "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "tru",   "truex",
                                      "1 2",    "[1 2]",   "nan",       "inf",         "]",        "\"\\u"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!is_json(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (is_json(bad[i], strlen(bad[i])))
            fail_msg("taken: %s", bad[i]);
}

static void depth_is_limited(void **state)
{
    char text[1 << 16];
    (void)state;
    for (int depth = 1; depth < (int)sizeof text / 2; depth = depth < 40 ? depth + 1 : depth * 2) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        assert_int_equal(is_json(text, (size_t)depth * 2), depth <= 32);
    }
}

static void values_are_found(void **state)
{
    double number = 0;
    const char *root =
        json_root(" {\"skip\": [{\"x\": \"}\"}, \"x\"], \"x\" : -2.5e1, \"s\": \"a b\", \"l\": [1, 20 ,300]} ");
    (void)state;
    assert_non_null(root);
    assert_true(json_get_number(json_member(root, "x"), &number) && number == -25);
    assert_true(json_is_string(json_member(root, "s"), "a b"));
    assert_false(json_is_string(json_member(root, "s"), "a"));
    assert_false(json_is_string(json_member(root, "s"), "a b c"));
    assert_false(json_get_number(json_member(root, "s"), &number));
    assert_false(json_get_number(json_member(root, "y"), &number));
    assert_false(json_is_string(json_member(root, "x"), "-2.5e1"));
    assert_null(json_member(json_member(root, "x"), "x"));
    assert_null(json_first(root));
    double sum = 0;
    for (const char *at = json_first(json_member(root, "l")); at; at = json_next(at))
        sum += json_get_number(at, &number) ? number : 1e9;
    assert_true(sum == 321);
    assert_null(json_first(json_root("[]")));
    assert_null(json_member(json_root("{}"), "x"));
    assert_null(json_member(NULL, "x"));
}

/* Any change of a byte gives JSON or not, and never a read beyond the end. */
static void damaged_texts_do_no_harm(void **state)
{
    char text[512], damaged[512];
    uint64_t random = test_seed();
    FILE *file = fmemopen(text, sizeof text, "w");
    struct json json = {file, false};
    (void)state;
    json_begin_object(&json, NULL);
    json_string(&json, "name", "a \"b\" \\ \t c");
    json_begin_array(&json, "list");
    json_number(&json, NULL, -1.5e-30);
    json_bool(&json, NULL, true);
    json_begin_object(&json, NULL);
    json_whole(&json, "deep", -7);
    json_end_object(&json);
    json_end_array(&json);
    json_end_object(&json);
    fclose(file);
    const size_t length = strlen(text);
    assert_true(is_json(text, length));
    for (size_t i = 0; i < length; i++)
        assert_false(is_json(text, i));
    for (int i = 0; i < 20000; i++) {
        memcpy(damaged, text, length + 1);
        for (int change = 0; change < 3; change++)
            damaged[inputs_between(&random, 0, (int64_t)length - 1)] =
                (char)(inputs_coin(&random) ? "{}[]\",:\\u0-e."[inputs_between(&random, 0, 12)]
                                            : (char)inputs_between(&random, 1, 255));
        is_json(damaged, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_json_is_told), cmocka_unit_test(depth_is_limited),
                                       cmocka_unit_test(values_are_found), cmocka_unit_test(damaged_texts_do_no_harm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
