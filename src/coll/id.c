/* SPDX-License-Identifier: MIT */
/*
 * id.c - makes, checks and spells group ids. Layout: bytes 0 .. 7 the mark, byte 8 the layout version, bytes 16 .. 31
 * the nonce, all others zero.
 */
#include "coll/id.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { ID_VERSION_AT = 8, ID_NONCE_AT = 16, ID_VERSION = 1 };

static const uint8_t id_mark[ID_VERSION_AT] = {'M', 'M', 'A', 'R', 'N', '-', 'I', 'D'};

static mmarn_id id_with(const uint8_t *nonce)
{
    mmarn_id id = {{0}};
    memcpy(id.bytes, id_mark, sizeof id_mark);
    id.bytes[ID_VERSION_AT] = ID_VERSION;
    memcpy(id.bytes + ID_NONCE_AT, nonce, COLL_NONCE_SIZE);
    return id;
}

bool coll_id_create(mmarn_id *id, struct error *error)
{
    uint8_t nonce[COLL_NONCE_SIZE];
    ssize_t got;
    do
        got = getrandom(nonce, sizeof nonce, 0);
    while (got < 0 && errno == EINTR);
    if (got != sizeof nonce)
        return error_fail_errno(error, "getrandom gave no nonce for the id");
    *id = id_with(nonce);
    return true;
}

bool coll_id_valid(const mmarn_id *id)
{
    mmarn_id same = id_with(coll_id_nonce(id));
    return !memcmp(same.bytes, id->bytes, sizeof same.bytes);
}

const uint8_t *coll_id_nonce(const mmarn_id *id)
{
    return id->bytes + ID_NONCE_AT;
}

void coll_id_text(const mmarn_id *id, char text[MMARN_ID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        *text++ = digits[id->bytes[i] >> 4];
        *text++ = digits[id->bytes[i] & 15];
    }
    *text = 0;
}

/* The value of a hexadecimal digit, whatever the locale; -1 for anything else. */
static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool coll_id_from_text(const char *text, mmarn_id *id)
{
    mmarn_id read;
    for (size_t i = 0; i < sizeof read.bytes; i++) {
        int high = hex_value(text[2 * i]);
        int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);
        if (low < 0)
            return false;
        read.bytes[i] = (uint8_t)(high << 4 | low);
    }
    if (text[2 * sizeof read.bytes] || !coll_id_valid(&read))
        return false;
    *id = read;
    return true;
}
