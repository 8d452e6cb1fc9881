/* SPDX-License-Identifier: MIT */
/* test_id.c - group ids: random, checked, and spelled as 128 hexadecimal digits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coll/id.h"

static mmarn_id new_id(void)
{
    mmarn_id id;
    struct error error;
    assert_true(coll_id_create(&id, &error));
    return id;
}

static void ids_differ(void **state)
{
    (void)state;
    const mmarn_id first = new_id(), second = new_id();
    assert_true(coll_id_valid(&first));
    assert_memory_not_equal(coll_id_nonce(&first), coll_id_nonce(&second), COLL_NONCE_SIZE);
}

static void text_round_trip(void **state)
{
    (void)state;
    const mmarn_id id = new_id();
    mmarn_id read;
    char text[MMARN_ID_TEXT_SIZE];
    memset(text, 'x', sizeof text);
    coll_id_text(&id, text);
    assert_int_equal(strlen(text), 128);
    memset(&read, 0xA5, sizeof read);
    assert_true(coll_id_from_text(text, &read));
    assert_memory_equal(&read, &id, sizeof id);
    for (char *at = text; *at; at++)
        *at = *at >= 'a' ? (char)(*at - 'a' + 'A') : *at;
    assert_true(coll_id_from_text(text, &read));
}

static void bad_text_is_refused(void **state)
{
    (void)state;
    const mmarn_id id = new_id(), untouched = {{0}};
    mmarn_id read = {{0}};
    char text[MMARN_ID_TEXT_SIZE + 1] = "";
    assert_false(coll_id_from_text("", &read));
    for (size_t length = 1; length < 128; length += 9) {
        coll_id_text(&id, text);
        text[length] = 0;
        assert_false(coll_id_from_text(text, &read));
    }
    for (int i = 0; i < 128; i += 7) {
        coll_id_text(&id, text);
        text[i] = i % 2 ? 'g' : ' ';
        assert_false(coll_id_from_text(text, &read));
    }
    coll_id_text(&id, text);
    strcat(text, "0");
    assert_false(coll_id_from_text(text, &read));
    assert_memory_equal(&read, &untouched, sizeof read);
}

static void every_byte_but_the_nonce_counts(void **state)
{
    (void)state;
    const mmarn_id id = new_id();
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        mmarn_id other = id;
        other.bytes[i] ^= 0x10;
        bool in_nonce = i >= 16 && i < 16 + COLL_NONCE_SIZE;
        assert_int_equal(coll_id_valid(&other), in_nonce);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_differ),
        cmocka_unit_test(text_round_trip),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(every_byte_but_the_nonce_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
