/*
 * choice.h - the one way in which a kernel is chosen: of a list that ends with NULL, best last, the last line whose
 * `needs` this processor has and MMARN_CPU allows. Chosen once.
 */
#ifndef MMARN_BASE_CHOICE_H
#define MMARN_BASE_CHOICE_H

#include <stdatomic.h>

#include "base/cpu.h"

/*
 * The body of a function that returns a const struct type *. Relaxed is enough: the tables are constants, and every
 * thread that finds no choice yet makes the same one.
 */
#define CHOOSE_KERNEL(type, list)                                                                                      \
    static _Atomic(const struct type *) chosen;                                                                        \
    const struct type *best = atomic_load_explicit(&chosen, memory_order_relaxed);                                     \
    if (best)                                                                                                          \
        return best;                                                                                                   \
    for (int i = 0; (list)[i]; i++)                                                                                    \
        if (((list)[i]->needs & ~cpu_features()) == 0)                                                                 \
            best = (list)[i];                                                                                          \
    atomic_store_explicit(&chosen, best, memory_order_relaxed);                                                        \
    return best

#endif
