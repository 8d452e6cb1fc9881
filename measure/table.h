/* SPDX-License-Identifier: MIT */
/*
 * table.h - aligned text for people: a list of names and values, or rows under headed columns, a row at a time.
 */
#ifndef MMARN_MEASURE_TABLE_H
#define MMARN_MEASURE_TABLE_H

/* One "name    value" line; printf formats the value. */
void table_pair(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A column's width. Text columns are aligned to the left, the others to the right. */
struct table_column {
    const char *title; /* NULL ends the list */
    int width;
    char text;
};

enum { TABLE_CELL = 32 };

void table_header(const struct table_column *columns);
/* One cell per column. */
void table_row(const struct table_column *columns, char cells[][TABLE_CELL]);

#endif
