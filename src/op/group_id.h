/* SPDX-License-Identifier: MIT */
/*
 * group_id.h - a group's id as the public functions give and take it: made, as text, and in the environment, where
 * `mmarn launch` puts it together with a rank's place. The callers have checked that no pointer is NULL. Each function
 * returns true, or false with *error filled in.
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
