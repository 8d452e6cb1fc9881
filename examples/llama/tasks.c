/* SPDX-License-Identifier: MIT */
/*
 * tasks.c - the two loops over positions. All ranks run them alike: logits have the same bits everywhere, so every rank
 * chooses the same token and they stay in step without being told.
 */
#include "tasks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fail.h"
#include "file.h"
#include "sample.h"

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

bool task_tokens(const struct options *options, const struct tokenizer *tokenizer, int64_t seq_len, int32_t **tokens,
                 int64_t *count)
{
    char *text = NULL;
    int64_t length = (int64_t)strlen(options->prompt);
    if (!options->score && options->steps > seq_len)
        return fail("--steps is %lld but the model's texts have at most %lld tokens", (long long)options->steps,
                    (long long)seq_len);
    if (options->score && !(text = file_read(options->score, &length)))
        return false;
    /* The one that begins the text is not counted as part of it. */
    const int64_t most = (options->score ? seq_len : options->steps) + 1;
    *tokens = malloc((size_t)most * sizeof(**tokens));
    const bool done = *tokens ? tokenizer_encode(tokenizer, text ? text : options->prompt, length, *tokens, most, count)
                              : fail("there is no memory for %lld tokens", (long long)most);
    free(text);
    return done;
}

static bool write_token(const struct tokenizer *tokenizer, int32_t previous, int32_t token)
{
    char byte;
    int32_t length;
    const char *bytes = tokenizer_decode(tokenizer, previous, token, &byte, &length);
    return (fwrite(bytes, 1, (size_t)length, stdout) == (size_t)length && fflush(stdout) == 0) ||
           fail("the text cannot be written");
}

static bool run_prompt(struct model *model, const int32_t *tokens, int64_t count, const float **logits)
{
    for (int64_t first = 0; first < count; first += LLAMA_ROWS) {
        const int64_t rows = count - first < LLAMA_ROWS ? count - first : LLAMA_ROWS;
        if (!model_forward(model, tokens + first, rows, first, false, logits))
            return false;
    }
    return true;
}

struct speed {
    int64_t prompt, steps; /* tokens that went through the model together, and one by one */
    double prompt_time, steps_time;
};

static void report_speed(const struct speed *speed)
{
    fprintf(stderr, "llama: %lld tokens at once, %.1f tokens/s", (long long)speed->prompt,
            speed->prompt > 0 ? (double)speed->prompt / speed->prompt_time : 0);
    if (speed->steps > 0)
        fprintf(stderr, "; %lld one by one, %.1f tokens/s", (long long)speed->steps,
                (double)speed->steps / speed->steps_time);
    fputc('\n', stderr);
}

/* Chooses tokens and runs them until the text is as long as it may be, or the model ends it. */
static bool continue_text(const struct options *options, const struct tokenizer *tokenizer, struct model *model,
                          struct sampler *sampler, int32_t *tokens, int64_t count, const float *logits, int64_t *steps)
{
    for (; count <= options->steps; count++) {
        if (!sample(sampler, logits, model->shape.vocab, &tokens[count]))
            return false;
        if (tokens[count] == TOKEN_BEGIN || tokens[count] == TOKEN_END)
            return true;
        if (model->shard.rank == 0 && !write_token(tokenizer, tokens[count - 1], tokens[count]))
            return false;
        if (count == options->steps)
            return true;
        if (!model_forward(model, tokens + count, 1, count, false, &logits))
            return false;
        ++*steps;
    }
    return true;
}

static bool generate(const struct options *options, const struct tokenizer *tokenizer, struct model *model,
                     struct sampler *sampler, int32_t *tokens, int64_t count)
{
    const bool writes = model->shard.rank == 0;
    /* A prompt that is the whole text has one token more than there are positions; nothing comes after the last. */
    struct speed speed = {.prompt = count < options->steps ? count : options->steps};
    const float *logits = NULL;
    const double start = seconds();
    if (!run_prompt(model, tokens, speed.prompt, &logits))
        return false;
    const double prompted = seconds();
    for (int64_t i = 1; writes && i < count; i++)
        if (!write_token(tokenizer, tokens[i - 1], tokens[i]))
            return false;
    if (!continue_text(options, tokenizer, model, sampler, tokens, count, logits, &speed.steps))
        return false;
    speed.prompt_time = prompted - start;
    speed.steps_time = seconds() - prompted;
    if (writes) {
        puts("");
        report_speed(&speed);
    }
    return fflush(stdout) == 0 || fail("the text cannot be written");
}

bool task_generate(const struct options *options, const struct tokenizer *tokenizer, struct model *model,
                   int32_t *tokens, int64_t count)
{
    struct sampler sampler = {options->temperature, options->top_p, options->seed, NULL};
    sampler.candidates = malloc((size_t)model->shape.vocab * sizeof(*sampler.candidates));
    if (!sampler.candidates)
        return fail("there is no memory for %lld candidates", (long long)model->shape.vocab);
    const bool done = generate(options, tokenizer, model, &sampler, tokens, count);
    free(sampler.candidates);
    return done;
}

bool task_score(struct model *model, const int32_t *tokens, int64_t count)
{
    const int64_t vocab = model->shape.vocab, scored = count - 1;
    double total = 0;
    if (scored < 1)
        return fail("the text to score is empty");
    for (int64_t first = 0; first < scored; first += LLAMA_ROWS) {
        const int64_t rows = scored - first < LLAMA_ROWS ? scored - first : LLAMA_ROWS;
        const float *logits;
        if (!model_forward(model, tokens + first, rows, first, true, &logits))
            return false;
        for (int64_t row = 0; row < rows; row++) {
            const int32_t token = tokens[first + row + 1];
            const double likelihood = log_likelihood(logits + row * vocab, vocab, token);
            if (!isfinite(likelihood))
                return fail("the log-likelihood of token %lld is %g: the weights are too large for this type",
                            (long long)(first + row + 1), likelihood);
            if (model->shard.rank == 0)
                printf("%lld %d %.9f\n", (long long)(first + row + 1), token, likelihood);
            total += likelihood;
        }
    }
    if (model->shard.rank == 0)
        printf("mean %.9f of %lld tokens\n", total / (double)scored, (long long)scored);
    return fflush(stdout) == 0 || fail("the figures cannot be written");
}
