/* SPDX-License-Identifier: MIT */
/*
 * descriptor.h - keeps the library's own descriptors off the numbers of standard input, output and error. A program
 * that has closed those may open others there later, or print.
 */
#ifndef MMARN_BASE_DESCRIPTOR_H
#define MMARN_BASE_DESCRIPTOR_H

/*
 * Duplicates the file to a number above 2, closed on exec; takes the descriptor. -1 with errno, also for a negative
 * descriptor.
 */
int descriptor_off_stdio(int descriptor);

#endif
