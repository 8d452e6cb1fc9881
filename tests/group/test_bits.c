/* SPDX-License-Identifier: MIT */
/*
 * test_bits.c - outputs have the bits whose hashes are in stored_bits.inc, on every machine and with every compiler.
 * This also catches a change that affects the arithmetic of the library and of the reference alike. Data have a fixed
 * seed; ranks are threads; op_case.h and quant_case.h check that the outputs equal the hashed values.
 *
 * When docs/numerics.md changes on purpose: build/tests/group/test_bits tests/group/stored_bits.inc
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op_case.h"
#include "quant_case.h"

enum { RANKS = 4, MOST_CASES = 64 };

struct line {
    const char *name;
    uint64_t hash;
};

static const struct line stored[] = {
#include "stored_bits.inc"
};
enum { STORED = sizeof stored / sizeof *stored };

struct bits_case {
    char name[64];
    uint64_t hash;
    struct op_data data;
    struct quant_data_set *set; /* NULL for floats */
};

struct bits {
    struct bits_case cases[MOST_CASES];
    struct op_case floats[MOST_CASES];
    int count;
};

static const char *const dtypes[] = {"?", "f16", "bf16", "f32", "i8", "i4"};
static const char *const modes[] = {"default", "ascend", "fp32"};

static void add_float(struct bits *bits, struct op_case shape)
{
    struct bits_case *c = &bits->cases[bits->count];
    struct op_case *kept = &bits->floats[bits->count++];
    *kept = shape;
    op_data_make(&c->data, kept, RANKS);
    c->hash = op_data_hash(&c->data);
    snprintf(c->name, sizeof c->name, "%s, %s, k %d%s%s%s", dtypes[shape.dtype], modes[shape.numerics], (int)shape.k,
             shape.tiny ? ", tiny" : "", shape.call == OP_CASE_PARTS ? ", parts" : "",
             shape.huge ? ", f32 residual and gamma, huge" : "");
}

static void add_quant(struct bits *bits, const struct quant_case *shape)
{
    struct bits_case *c = &bits->cases[bits->count];
    c->set = quant_data_make(shape, RANKS, (uint64_t)bits->count++);
    c->hash = quant_data_hash(c->set);
    snprintf(c->name, sizeof c->name, "%s x %s -> %s, %s, k %d%s", dtypes[shape->x_dtype], dtypes[shape->x2_dtype],
             dtypes[shape->out_dtype], modes[shape->numerics], (int)shape->k,
             shape->data == QUANT_TINY ? ", tiny" : "");
}

/* In half of the cases k is at most 32: there, summing in blocks of 32 changes nothing. */
static void make_floats(struct bits *bits)
{
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
        for (int32_t numerics = 0; numerics < 3; numerics++) {
            struct op_case shape = {.dtype = dtype, .numerics = numerics, .s = 5, .k = 29, .n = 70, .bias = true};
            shape.threads = 1;
            add_float(bits, shape);
            shape.k = 600;
            add_float(bits, shape);
        }
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++) {
        struct op_case shape = {.dtype = dtype, .s = 4, .k = 20, .n = 65, .tiny = true, .threads = 1};
        add_float(bits, shape);
        shape.call = OP_CASE_PARTS;
        add_float(bits, shape);
        shape.tiny = false;
        shape.wide_residual = shape.wide_gamma = true;
        shape.huge = 100;
        add_float(bits, shape);
    }
}

static void make_quantised(struct bits *bits)
{
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++)
        for (int variant = 0; variant < 4; variant++) {
            struct quant_case shape = {.x_dtype = dtype, .out_dtype = dtype, .rows = 4, .n = 68, .threads = 1};
            shape.x2_dtype = variant % 2 ? MMARN_I4 : MMARN_I8;
            shape.k = variant < 2 ? 30 : 120;
            shape.numerics = (dtype + variant) % 3;
            shape.scale = QUANT_PER_CHANNEL;
            shape.offset = variant != 1;
            shape.data = variant == 1 ? QUANT_TINY : QUANT_NORMAL;
            add_quant(bits, &shape);
        }
    for (int32_t dtype = MMARN_F16; dtype <= MMARN_F32; dtype++) {
        struct quant_case shape = {.x_dtype = MMARN_I8, .x2_dtype = MMARN_I8, .out_dtype = dtype, .rows = 4, .n = 68};
        shape.scale_dtype = dtype == MMARN_F16 ? MMARN_U64 : dtype;
        shape.k = dtype == MMARN_F32 ? 120 : 30;
        shape.numerics = dtype % 3;
        shape.per_token = true;
        shape.bias = dtype != MMARN_F16; /* a bias would make sums infinite, and the bits of NaNs are not defined */
        shape.threads = 1;
        add_quant(bits, &shape);
    }
}

static bool run(struct group_rank *rank, void *ctx)
{
    const struct bits *bits = ctx;
    mmarn_comm *comm = group_join(rank, 1);
    bool ok = comm;
    for (int i = 0; ok && i < bits->count; i++) {
        const struct bits_case *c = &bits->cases[i];
        ok = c->set ? quant_case_run(rank, comm, c->set) : op_case_run(rank, comm, &c->data);
    }
    mmarn_comm_destroy(comm);
    return ok;
}

static bool compare(const struct bits *bits)
{
    bool ok = bits->count == STORED;
    if (!ok)
        printf("%d cases, but stored_bits.inc has %d\n", bits->count, (int)STORED);
    for (int i = 0; i < bits->count && i < STORED; i++) {
        const struct bits_case *c = &bits->cases[i];
        if (c->hash == stored[i].hash && strcmp(c->name, stored[i].name) == 0)
            continue;
        printf("%s: the hash is 0x%016llx, but stored is 0x%016llx for %s\n", c->name, (unsigned long long)c->hash,
               (unsigned long long)stored[i].hash, stored[i].name);
        ok = false;
    }
    return ok;
}

static bool store(const struct bits *bits, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    static const char head[] =
        "/* SPDX-License-Identifier: MIT */\n/*\n"
        " * stored_bits.inc - the cases of test_bits.c, which writes this file, and the hashes of their outputs' bits. "
        "It changes\n * only when docs/numerics.md does.\n */\n/* clang-format off */\n";
    fputs(head, file);
    for (int i = 0; i < bits->count; i++)
        fprintf(file, "{\"%s\", 0x%016llx},\n", bits->cases[i].name, (unsigned long long)bits->cases[i].hash);
    return fclose(file) == 0;
}

int main(int argc, char **argv)
{
    static struct bits bits;
    setenv("MMARN_TEST_SEED", "20240229", 1);
    make_floats(&bits);
    make_quantised(&bits);
    const bool came_out = group_run(GROUP_THREADS, RANKS, run, &bits);
    const bool ok = came_out && (argc > 1 ? store(&bits, argv[1]) : compare(&bits));
    for (int i = 0; i < bits.count; i++) {
        op_data_free(&bits.cases[i].data);
        if (bits.cases[i].set)
            quant_data_free(bits.cases[i].set);
    }
    if (!ok)
        puts("results are defined to the bit (docs/numerics.md), and these are others");
    return ok ? 0 : 1;
}
