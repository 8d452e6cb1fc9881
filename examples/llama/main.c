/* SPDX-License-Identifier: MIT */
/*
 * main.c - tensor-parallel inference of a Llama-type model over the public interface of libmmarn. Started by
 * `mmarn launch` it is one rank of a group, by itself a group of one. docs/llama.md has the tour.
 */
#include <mmarn/mmarn.h>
#include <stdlib.h>

#include "fail.h"
#include "tasks.h"

struct groups {
    mmarn_comm *all, *self;
};

static bool join(struct groups *groups)
{
    mmarn_id id;
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT, alone = MMARN_COMM_CONFIG_INIT;
    const bool launched = getenv("MMARN_ID") || getenv("MMARN_RANK") || getenv("MMARN_WORLD_SIZE");
    if (launched && !succeeded(mmarn_id_from_env(&id, &config.rank, &config.world_size)))
        return false;
    fail_set_rank(config.rank, config.world_size);
    return succeeded(mmarn_comm_create(launched ? &id : NULL, &config, &groups->all)) &&
           succeeded(mmarn_comm_create(NULL, &alone, &groups->self));
}

static bool run_model(const struct options *options, const struct tokenizer *tokenizer,
                      const struct checkpoint *checkpoint, const struct groups *groups)
{
    int32_t *tokens = NULL;
    int64_t count = 0;
    struct model model = {0};
    bool done = task_tokens(options, tokenizer, checkpoint->shape.seq_len, &tokens, &count);
    if (done) {
        const int64_t positions = options->score || options->steps < 1 ? count : options->steps;
        done = model_load(&model, checkpoint, options, positions, groups->all, groups->self);
    }
    if (done)
        done = options->score ? task_score(&model, tokens, count)
                              : task_generate(options, tokenizer, &model, tokens, count);
    model_free(&model);
    free(tokens);
    return done;
}

static bool run(const struct options *options, const struct groups *groups)
{
    struct checkpoint checkpoint;
    struct tokenizer tokenizer;
    bool done = false;
    if (!checkpoint_open(&checkpoint, options->model))
        return false;
    if (tokenizer_open(&tokenizer, options->tokenizer, checkpoint.shape.vocab)) {
        done = run_model(options, &tokenizer, &checkpoint, groups);
        tokenizer_close(&tokenizer);
    }
    checkpoint_close(&checkpoint);
    return done;
}

int main(int argc, char **argv)
{
    struct options options;
    struct groups groups = {0};
    const int status = options_parse(&options, argc, argv);
    if (status != OPTIONS_PROCEED)
        return status;
    const bool done = join(&groups) && run(&options, &groups);
    mmarn_comm_destroy(groups.self);
    mmarn_comm_destroy(groups.all);
    return done ? EXIT_SUCCESS : EXIT_RUNTIME;
}
