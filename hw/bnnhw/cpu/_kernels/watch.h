/* An evaluation may take hours, and whoever asked for it may want to end it: so the loops ask from time to time.
 *
 * Work is counted in words of a window (or bytes, of which a word's time holds one at least) for one group of neurons:
 * on the slowest processors such a step takes less than a microsecond. The clock is looked at after so much of it that
 * looking costs nothing, and Python is asked after so much time that asking costs nothing.
 */
#ifndef BNN_WATCH_H
#define BNN_WATCH_H

#include <stdint.h>

#include "layer.h"
#include "platform.h"

/* Between two looks. */
enum { BNN_PATIENCE = 1 << 16 };

typedef struct {
    int64_t left;              /* work until the next look */
    int64_t asked;             /* when Python was asked last, in milliseconds; 0: not yet */
    const volatile int *stop;  /* not 0: end. NULL: nobody says so */
    int ended;
} bnn_watch;

/* Look at the clock and the flag, and ask Python if it is time. 0: end. */
int bnn_look(bnn_watch *watch);

/* Call before some work; 0: leave it, what is half done is not used. */
BNN_INLINE int bnn_go_on(bnn_watch *watch, int64_t work) {
    watch->left -= work;
    return watch->left >= 0 || bnn_look(watch);
}

/* Work for one position and one group of neurons. */
BNN_INLINE int64_t bnn_work(const bnn_layer *layer) {
    return ((int64_t)layer->planes * layer->segments * layer->segment_length) << (layer->pooled ? 2 : 0);
}

/* How many of some steps may be taken between two looks: all, or a multiple of `unit`. */
BNN_INLINE int bnn_steps(int64_t work, int steps, int unit) {
    if (work * steps <= BNN_PATIENCE) return steps;
    return work * unit >= BNN_PATIENCE ? unit : (int)(BNN_PATIENCE / (work * unit)) * unit;
}

#endif
