/* SPDX-License-Identifier: MIT */
/*
 * notes.h - what is no failure, but should be known: written to standard error, once, by the command or whichever of
 * its ranks comes upon it first.
 */
#ifndef MMARN_MEASURE_NOTES_H
#define MMARN_MEASURE_NOTES_H

/* From here on the library's notes are told too, also in ranks that are forked later. */
void notes_begin(void);

void notes_tell(const char *sentence);

#endif
