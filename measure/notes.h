/* SPDX-License-Identifier: MIT */
/*
 * notes.h - notes that are not failures but should be known. Each is written to standard error once, by the command or
 * by the first of its ranks to find it.
 */
#ifndef MMARN_MEASURE_NOTES_H
#define MMARN_MEASURE_NOTES_H

/* From here on the library's notes are written too, also in ranks that are forked later. */
void notes_begin(void);

void notes_tell(const char *sentence);

#endif
