/* Compare every variant that this processor can run with the portable one, on random layers of any shape.
 *
 * The portable variant is compared with the reference by tests/hw/test_cpu.py. This program needs no Python, so
 * it also runs with sanitizers and, for ARM, under emulation: see run.sh. All buffers are exactly as large as the
 * kernels say, so a sanitizer sees any access past them. Usage: compare [layers] [seed]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "random.h"
#include "variants.h"

/* A word of random channels, of which the first `channels` exist. */
static uint64_t channels_of(int channels) {
    uint64_t word = random_bits();
    if (channels <= 0) return 0;
    return channels >= 64 ? word : word & (((uint64_t)1 << channels) - 1);
}

typedef struct {
    bnn_layer layer;
    int images, channels, words, height, width;
    size_t in_bytes, out_bytes;
    void *in;
    uint64_t *bits;
    int8_t *bytes;
    int32_t *limits, *base;
} example;

static void shape(example *e) {
    bnn_layer *layer = &e->layer;
    const int kernel = pick(1, 7), stride = pick(1, 3), dense = pick(0, 3) == 0, step = layer->kind == BNN_TERNARY ? 2 : 1;
    e->images = pick(1, 9);
    e->channels = pick(1, dense ? 1000 : 150);
    e->words = (e->channels + 63) / 64;
    e->height = dense ? 1 : kernel + pick(0, 6);
    e->width = dense ? 1 : kernel + pick(0, 8);
    const int pixel = layer->kind == BNN_BYTES ? e->channels : e->words * step;
    layer->segments = dense ? 1 : kernel;
    layer->segment_length = (dense ? 1 : kernel) * (layer->kind == BNN_BYTES ? e->channels : e->words);
    layer->in_row = (ptrdiff_t)e->width * pixel;
    layer->in_column = (ptrdiff_t)pixel * stride;
    layer->in_line = layer->in_row * stride;
    layer->in_image = layer->in_row * e->height;
    layer->rows = dense ? 1 : (e->height - kernel) / stride + 1;
    layer->columns = dense ? 1 : (e->width - kernel) / stride + 1;
    if (layer->kind != BNN_BYTES && layer->rows > 1 && layer->columns > 1 && pick(0, 1)) {
        layer->pooled = 1;
        layer->rows /= 2;
        layer->columns /= 2;
    }
    layer->result = dense ? pick(BNN_ONE_BIT, BNN_FLAGS) : pick(BNN_ONE_BIT, BNN_TWO_BIT);
    layer->outputs = pick(1, e->height * e->width == 1 ? 500 : 200); /* dense layers take several groups at once */
    layer->groups = (layer->outputs + BNN_GROUP - 1) / BNN_GROUP;
    if (layer->result > BNN_TWO_BIT) {
        layer->out_image = layer->outputs;
        e->out_bytes = (size_t)e->images * (size_t)layer->outputs * sizeof(int32_t);
        return;
    }
    const int border = pick(0, 2);
    layer->out_column = (ptrdiff_t)layer->groups * (layer->result + 1);
    layer->out_row = (layer->columns + 2 * border) * layer->out_column;
    layer->out_start = border * (layer->out_row + layer->out_column);
    layer->out_image = (layer->rows + 2 * border) * layer->out_row;
    e->out_bytes = (size_t)e->images * (size_t)layer->out_image * sizeof(uint64_t);
}

static void fill(example *e) {
    bnn_layer *layer = &e->layer;
    const int window = layer->segments * layer->segment_length, lanes = layer->groups * BNN_GROUP;
    const int middle = layer->kind == BNN_BITS ? layer->segments * layer->segment_length * 32 : 0;
    const int spread = layer->kind == BNN_BYTES ? 2000 : 40;
    e->limits = bnn_allocate((size_t)lanes * 2 * sizeof(int32_t));
    e->base = bnn_allocate((size_t)layer->outputs * sizeof(int32_t));
    for (int i = 0; i < 2 * lanes; i++) {
        static const int32_t ends[] = {-(1 << 30), -1, 0, 1, 1 << 30};
        e->limits[i] = pick(0, 5) ? middle + pick(-spread, spread) : ends[pick(0, 4)];
        /* Unused neurons are 0, or -1 where that is not to be had. */
        if (i % lanes >= layer->outputs) e->limits[i] = i < lanes && layer->result == BNN_TWO_BIT ? 1 << 30 : -(1 << 30);
    }
    for (int i = 0; i < layer->outputs; i++) e->base[i] = pick(-5000, 5000);
    layer->scale = pick(1, 2);
    layer->limits = e->limits;
    layer->base = e->base;
    layer->planes = 1;
    if (layer->kind == BNN_BYTES) {
        e->in_bytes = (size_t)e->images * (size_t)layer->in_image + BNN_READ_PAST;
        e->in = bnn_allocate(e->in_bytes);
        for (size_t i = 0; i < e->in_bytes; i++) ((uint8_t *)e->in)[i] = (uint8_t)random_bits();
        e->bytes = bnn_allocate((size_t)layer->outputs * (size_t)window);
        for (int i = 0; i < layer->outputs * window; i++) e->bytes[i] = (int8_t)pick(-1, 2);
        return;
    }
    layer->planes = 1 << pick(0, 2);
    layer->alpha = layer->planes == 4 ? 2 : 1;
    layer->beta = layer->planes == 1 ? 2 : 1;
    const size_t words = (size_t)e->images * (size_t)layer->in_image;
    uint64_t *in = e->in = bnn_allocate(e->in_bytes = words * sizeof(uint64_t));
    const int step = layer->kind == BNN_TERNARY ? 2 : 1;
    for (size_t i = 0; i < words; i++) in[i] = channels_of(e->channels - 64 * (int)(i / (size_t)step % (size_t)e->words));
    e->bits = bnn_allocate((size_t)layer->planes * (size_t)layer->outputs * (size_t)window * sizeof(uint64_t));
    for (int i = 0; i < layer->planes * layer->outputs * window; i++) {
        e->bits[i] = channels_of(e->channels - 64 * (i % e->words));
    }
}

static void *evaluate(const example *e, const bnn_variant *variant) {
    bnn_layer layer = e->layer;
    const bnn_rows rows = {e->bits, e->bytes};
    void *weights = bnn_allocate(variant->packed(&layer));
    void *scratch = bnn_allocate(variant->scratch(&layer, e->images));
    void *out = bnn_allocate(e->out_bytes);
    layer.weights = weights;
    variant->pack(&layer, &rows, weights);
    bnn_watch watch = {.left = BNN_PATIENCE};
    variant->evaluate(&layer, e->in, out, e->images, scratch, &watch);
    bnn_release(weights);
    bnn_release(scratch);
    return out;
}

int main(int argc, char **argv) {
    const int layers = argc > 1 ? atoi(argv[1]) : 300;
    int compared = 0;
    random_state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (int i = 0; i < layers; i++) {
        example e;
        memset(&e, 0, sizeof e);
        e.layer.kind = i % 3;
        shape(&e);
        fill(&e);
        void *expected = evaluate(&e, &bnn_portable);
        for (int index = 0; bnn_variant_name(index) != NULL; index++) {
            if (!bnn_variant_usable(index)) continue;
            void *found = evaluate(&e, bnn_variant_at(index));
            if (memcmp(found, expected, e.out_bytes) != 0) {
                printf("%s differs from portable: layer %d, kind %d, result %d, %d x %d x %d to %d, kernel %d, planes %d\n",
                       bnn_variant_name(index), i, e.layer.kind, e.layer.result, e.height, e.width, e.channels,
                       e.layer.outputs, e.layer.segments, e.layer.planes);
                return 1;
            }
            bnn_release(found);
            compared++;
        }
        bnn_release(expected);
        bnn_release(e.in);
        bnn_release(e.bits);
        bnn_release(e.bytes);
        bnn_release(e.limits);
        bnn_release(e.base);
    }
    printf("%d layers agree, %d comparisons:", layers, compared);
    for (int index = 0; bnn_variant_name(index) != NULL; index++) {
        if (bnn_variant_usable(index)) printf(" %s", bnn_variant_name(index));
    }
    printf("\n");
    return 0;
}
