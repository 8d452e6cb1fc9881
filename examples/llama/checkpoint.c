/* SPDX-License-Identifier: MIT */
/*
 * checkpoint.c - the header, its rules, where each tensor lies, and reading a part of one. The file is read and not
 * mapped: one that becomes shorter meanwhile is then an error with a sentence, and not a signal.
 */
#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"

enum { HEADER = 7, MOST_LAYERS = 1024, MOST = 1 << 20 /* keeps every product of four sizes within int64_t */ };

static bool read_at(const struct checkpoint *checkpoint, void *to, int64_t bytes, int64_t offset)
{
    char *at = to;
    while (bytes > 0) {
        const ssize_t got = pread(checkpoint->file, at, (size_t)bytes, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail("\"%s\" cannot be read: %s", checkpoint->path, strerror(errno));
        if (got == 0)
            return fail("\"%s\" ends at byte %lld, in the middle of the model", checkpoint->path, (long long)offset);
        at += got;
        bytes -= got;
        offset += got;
    }
    return true;
}

static bool check_range(const char *path, const char *name, int64_t value, int64_t least, int64_t most)
{
    return (value >= least && value <= most) || fail("\"%s\" is no model: its %s is %lld, which is not %lld to %lld",
                                                     path, name, (long long)value, (long long)least, (long long)most);
}

static bool check_shape(const char *path, struct llama_shape *shape)
{
    if (!check_range(path, "dim", shape->dim, 2, MOST) || !check_range(path, "hidden_dim", shape->hidden, 1, MOST) ||
        !check_range(path, "n_layers", shape->layers, 1, MOST_LAYERS) ||
        !check_range(path, "n_heads", shape->heads, 1, shape->dim) ||
        !check_range(path, "n_kv_heads", shape->kv_heads, 1, shape->heads) ||
        !check_range(path, "vocab_size", shape->vocab, 3, MOST) ||
        !check_range(path, "seq_len", shape->seq_len, 1, MOST))
        return false;
    shape->head_dim = shape->dim / shape->heads;
    if (shape->dim % shape->heads || shape->head_dim % 2)
        return fail("\"%s\" is no model: its dim is %lld, which %lld heads do not share in even parts", path,
                    (long long)shape->dim, (long long)shape->heads);
    if (shape->heads % shape->kv_heads)
        return fail("\"%s\" is no model: its %lld heads cannot share %lld key-value heads evenly", path,
                    (long long)shape->heads, (long long)shape->kv_heads);
    return true;
}

/* Fills places; the result is the size that the file must have. */
static int64_t find_places(struct checkpoint *checkpoint)
{
    const struct llama_shape *shape = &checkpoint->shape;
    const int64_t dim = shape->dim, kv_dim = shape->kv_heads * shape->head_dim, layers = shape->layers;
    const struct {
        int64_t copies, rows, columns;
    } sizes[LLAMA_TENSORS] = {
        [LLAMA_EMBEDDING] = {1, shape->vocab, dim},
        [LLAMA_NORM_ATT] = {layers, 1, dim},
        [LLAMA_WQ] = {layers, dim, dim},
        [LLAMA_WK] = {layers, kv_dim, dim},
        [LLAMA_WV] = {layers, kv_dim, dim},
        [LLAMA_WO] = {layers, dim, dim},
        [LLAMA_NORM_FFN] = {layers, 1, dim},
        [LLAMA_W1] = {layers, shape->hidden, dim},
        [LLAMA_W2] = {layers, dim, shape->hidden},
        [LLAMA_W3] = {layers, shape->hidden, dim},
        [LLAMA_NORM_LAST] = {1, 1, dim},
        [LLAMA_FREQUENCY] = {1, 2 * shape->seq_len, shape->head_dim / 2},
        [LLAMA_CLASSIFIER] = {shape->own_classifier, shape->vocab, dim},
    };
    int64_t offset = HEADER * (int64_t)sizeof(int32_t);
    for (int i = 0; i < LLAMA_TENSORS; i++) {
        checkpoint->places[i] = (struct llama_place){offset, sizes[i].rows, sizes[i].columns};
        offset += sizes[i].copies * sizes[i].rows * sizes[i].columns * (int64_t)sizeof(float);
    }
    if (!shape->own_classifier)
        checkpoint->places[LLAMA_CLASSIFIER] = checkpoint->places[LLAMA_EMBEDDING];
    return offset;
}

static bool read_header(struct checkpoint *checkpoint, int64_t size)
{
    int32_t header[HEADER];
    if (size < (int64_t)sizeof(header))
        return fail("\"%s\" is no model: it has %lld bytes but a header alone has %zu", checkpoint->path,
                    (long long)size, sizeof(header));
    if (!read_at(checkpoint, header, sizeof(header), 0))
        return false;
    struct llama_shape *shape = &checkpoint->shape;
    *shape = (struct llama_shape){.dim = header[0],
                                  .hidden = header[1],
                                  .layers = header[2],
                                  .heads = header[3],
                                  .kv_heads = header[4],
                                  .vocab = header[5] < 0 ? -(int64_t)header[5] : header[5],
                                  .seq_len = header[6],
                                  .own_classifier = header[5] < 0};
    if (!check_shape(checkpoint->path, shape))
        return false;
    const int64_t needed = find_places(checkpoint);
    return size == needed || fail("\"%s\" is no model: it has %lld bytes but its header asks for %lld",
                                  checkpoint->path, (long long)size, (long long)needed);
}

bool checkpoint_open(struct checkpoint *checkpoint, const char *path)
{
    struct stat status;
    *checkpoint = (struct checkpoint){.path = path, .file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (checkpoint->file < 0 || fstat(checkpoint->file, &status) != 0)
        fail("\"%s\" cannot be opened: %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        fail("\"%s\" is not a file", path);
    else if (read_header(checkpoint, (int64_t)status.st_size))
        return true;
    checkpoint_close(checkpoint);
    return false;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (checkpoint->file >= 0)
        close(checkpoint->file);
    checkpoint->file = -1;
}

bool checkpoint_read(const struct checkpoint *checkpoint, const struct llama_part *part, float *values)
{
    const struct llama_place *place = &checkpoint->places[part->tensor];
    const bool whole = part->columns == place->columns;
    const int64_t runs = whole ? 1 : part->rows, length = whole ? part->rows * part->columns : part->columns;
    for (int64_t run = 0; run < runs; run++) {
        const int64_t row = part->layer * place->rows + part->row + run;
        const int64_t offset = place->offset + (row * place->columns + part->column) * (int64_t)sizeof(float);
        if (!read_at(checkpoint, values + run * length, length * (int64_t)sizeof(float), offset))
            return false;
    }
    for (int64_t i = 0; i < part->rows * part->columns; i++)
        if (!isfinite(values[i]))
            return fail("\"%s\" holds a weight that is not finite", checkpoint->path);
    return true;
}
