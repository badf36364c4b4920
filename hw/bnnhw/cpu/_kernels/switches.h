/* What is done because it is faster, each with a switch to do without: benchmarks/kernel_claims.py times both. */
#ifndef BNN_SWITCHES_H
#define BNN_SWITCHES_H

/* avx512: count three words at a time by their parity and majority. */
#ifndef BNN_THREES
#define BNN_THREES 1
#endif

/* avx512: gcc's tuning for the K8. Its others keep addresses in vector registers where it runs out of plain ones. To
 * come back they queue behind the arithmetic, and the loads that they are for wait. */
#ifndef BNN_K8
#define BNN_K8 1
#endif

/* avx512: compare ternary inputs with the weights of four registers at once, operation by operation. So the processor
 * spreads them evenly over its units. */
#ifndef BNN_FOUR_TERNARY
#define BNN_FOUR_TERNARY 1
#endif

/* avx512, avx2: have the tile as a part of the walk, and not as a function that is called for each. */
#ifndef BNN_TILE_INLINE
#define BNN_TILE_INLINE 1
#endif

/* avx2: keep sums in their registers and their places. Left alone, compilers regroup them until they run out of
 * registers. */
#ifndef BNN_PINNED
#define BNN_PINNED 1
#endif

/* dots.h: copy windows of three segments by a loop of constant length. */
#ifndef BNN_COPY_THREE
#define BNN_COPY_THREE 1
#endif

/* scalar.h: unroll the loop over a single segment. */
#ifndef BNN_UNROLL_SEGMENT
#define BNN_UNROLL_SEGMENT 4
#endif

#endif
