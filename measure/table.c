/* SPDX-License-Identifier: MIT */
/*
 * table.c - see table.h. Each line is flushed at once, so rows of a long benchmark appear one by one, also in a pipe.
 */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>

void table_pair(const char *name, const char *format, ...)
{
    va_list arguments;
    printf("%-16s ", name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

static void cell(const struct table_column *column, const char *text, char separator)
{
    printf(column->text ? "%-*s%c" : "%*s%c", column->width, text, separator);
}

void table_header(const struct table_column *columns)
{
    for (; columns->title != NULL; columns++)
        cell(columns, columns->title, columns[1].title != NULL ? ' ' : '\n');
    fflush(stdout);
}

void table_row(const struct table_column *columns, char cells[][TABLE_CELL])
{
    for (; columns->title != NULL; columns++, cells++)
        cell(columns, *cells, columns[1].title != NULL ? ' ' : '\n');
    fflush(stdout);
}
