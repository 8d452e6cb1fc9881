/* SPDX-License-Identifier: MIT */
/*
 * test_unload.c - loads the shared library, the first argument, uses it with several threads and unloads it,
 * repeatedly: nothing of it remains. A group that is never destroyed does not keep its threads alive either.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mmarn/mmarn.h"
#include "tasks.h"

enum { ROUNDS = 50, THREADS = 4, HANG_SECONDS = 60 };

static const char *library;

static void *find(void *handle, const char *name)
{
    void *found = dlsym(handle, name);
    assert_non_null(found);
    return found;
}

/* Makes a group and calls it; returns the group. */
static mmarn_comm *use(void *handle)
{
    mmarn_status (*create)(const mmarn_id *, const mmarn_comm_config *, mmarn_comm **);
    mmarn_status (*all_reduce)(mmarn_comm *, mmarn_numerics, const mmarn_tensor *, const mmarn_tensor *);
    *(void **)&create = find(handle, "mmarn_comm_create");
    *(void **)&all_reduce = find(handle, "mmarn_all_reduce");
    static float x[64 * 1024], y[64 * 1024];
    const int64_t rows = 64, columns = 1024;
    const mmarn_tensor in = {
        .data = x, .dtype = MMARN_F32, .ndim = 2, .shape = {rows, columns}, .strides = {columns, 1}};
    mmarn_tensor out = in;
    mmarn_comm_config config = MMARN_COMM_CONFIG_INIT;
    mmarn_comm *comm = NULL;
    config.threads = THREADS;
    out.data = y;
    for (int i = 0; i < rows * columns; i++) {
        x[i] = (float)(i % 1000);
        y[i] = -1;
    }
    assert_int_equal(create(NULL, &config, &comm), MMARN_OK);
    assert_int_equal(all_reduce(comm, MMARN_NUMERICS_DEFAULT, &in, &out), MMARN_OK);
    assert_memory_equal(x, y, sizeof x);
    return comm;
}

static void rounds(bool destroyed)
{
    for (int i = 0; i < ROUNDS; i++) {
        void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        assert_non_null(handle);
        mmarn_comm *comm = use(handle);
        assert_int_equal(tasks_count(), THREADS - 1);
        void (*destroy)(mmarn_comm *);
        *(void **)&destroy = find(handle, "mmarn_comm_destroy");
        if (destroyed)
            destroy(comm);
        assert_int_equal(dlclose(handle), 0);
        assert_null(dlopen(library, RTLD_NOW | RTLD_NOLOAD));
        assert_true(tasks_become(0));
    }
}

static void after_its_groups(void **state)
{
    (void)state;
    rounds(true);
}

/* Its memory is never freed, and a leak search would report it. So it runs in a child that is not searched. */
static void before_its_groups(void **state)
{
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        alarm(HANG_SECONDS);
        rounds(false);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(after_its_groups), cmocka_unit_test(before_its_groups)};
    library = argc > 1 ? argv[1] : "libmmarn.so";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
