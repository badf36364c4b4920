/* The table of variants, the most capable first. */
#ifndef BNN_VARIANTS_H
#define BNN_VARIANTS_H

#include "network.h"

const bnn_variant *bnn_variant_at(int index);

#endif
