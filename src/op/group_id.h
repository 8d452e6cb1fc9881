/* SPDX-License-Identifier: MIT */
/*
 * group_id.h - a group's id as the public functions give and take it: made, as text, and with a rank's place as `mmarn
 * launch` puts them into the environment. Pointers have been found not to be NULL. Each is false with *error filled in,
 * or true.
 */
#ifndef MMARN_OP_GROUP_ID_H
#define MMARN_OP_GROUP_ID_H

#include "base/error.h"
#include "mmarn/mmarn.h"

bool group_id_create(mmarn_id *id, struct error *error);
bool group_id_to_text(const mmarn_id *id, char *text, size_t size, struct error *error);
bool group_id_from_text(const char *text, mmarn_id *id, struct error *error);
bool group_id_from_env(mmarn_id *id, int32_t *rank, int32_t *world_size, struct error *error);

#endif
