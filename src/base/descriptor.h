/* SPDX-License-Identifier: MIT */
/*
 * descriptor.h - descriptors of the library's own stay off the places of standard input, output and error: where a
 * program has closed those, it may open others there later, or print.
 */
#ifndef MMARN_BASE_DESCRIPTOR_H
#define MMARN_BASE_DESCRIPTOR_H

/* The same file under a number above 2, closed on exec; takes the descriptor. -1 with errno, as for a negative one. */
int descriptor_off_stdio(int descriptor);

#endif
