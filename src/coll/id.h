/* SPDX-License-Identifier: MIT */
/*
 * id.h - the 64 bytes that name a group before it is formed: a mark, a layout version, and a 128-bit random nonce. The
 * nonce names the place of the rendezvous, so it must be hard to guess and must not occur twice.
 */
#ifndef MMARN_COLL_ID_H
#define MMARN_COLL_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "mmarn/mmarn.h"

enum { COLL_NONCE_SIZE = 16 };

/* Fills *id with a new nonce. Errors: SYSTEM. */
bool coll_id_create(mmarn_id *id, struct error *error);

/* Was *id made by coll_id_create, of a layout that this version knows? */
bool coll_id_valid(const mmarn_id *id);

/* The nonce of a valid id: COLL_NONCE_SIZE bytes. */
const uint8_t *coll_id_nonce(const mmarn_id *id);

/* 128 hexadecimal digits and a zero. Reading accepts both cases, and only a valid id. */
void coll_id_text(const mmarn_id *id, char text[MMARN_ID_TEXT_SIZE]);
bool coll_id_from_text(const char *text, mmarn_id *id);

#endif
