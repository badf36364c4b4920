/* Maximum pools of any size and stride. The usual 2x2 pool is part of the layer before it instead. */
#ifndef BNN_POOL_H
#define BNN_POOL_H

#include "network.h"
#include "watch.h"

/* Words whose union takes as long as a word for a group of neurons. */
enum { BNN_POOL_WORDS = 16 };

static inline void bnn_pool_evaluate(const bnn_pool *pool, const uint64_t *in, uint64_t *out, int images,
                                     bnn_watch *watch) {
    const int step = pool->ternary ? 2 : 1;
    const int64_t window = (int64_t)pool->size * pool->size * pool->words;
    for (int image = 0; image < images; image++) {
        const uint64_t *from = in + image * pool->in_image;
        uint64_t *to = out + image * pool->out_image + pool->out_start;
        for (int y = 0; y < pool->rows; y++) {
            for (int x = 0; x < pool->columns; x++) {
                if (!bnn_go_on(watch, window / BNN_POOL_WORDS)) return;
                const uint64_t *corner =
                    from + (ptrdiff_t)y * pool->stride * pool->in_row + (ptrdiff_t)x * pool->stride * pool->words;
                uint64_t *pixel = to + y * pool->out_row + (ptrdiff_t)x * pool->words;
                for (int word = 0; word < pool->words; word += step) {
                    /* A value is above -1 where it is +1 or 0, and above 0 where it is +1. */
                    uint64_t above_minus = 0, above_zero = 0;
                    for (int dy = 0; dy < pool->size; dy++) {
                        const uint64_t *row = corner + dy * pool->in_row + word;
                        for (int dx = 0; dx < pool->size; dx++) {
                            const uint64_t *at = row + (ptrdiff_t)dx * pool->words;
                            above_zero |= at[0];
                            if (pool->ternary) above_minus |= at[0] | ~at[1];
                        }
                    }
                    pixel[word] = above_zero;
                    if (pool->ternary) pixel[word + 1] = above_zero | ~above_minus;
                }
            }
        }
    }
}

#endif
