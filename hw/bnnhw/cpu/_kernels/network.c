/* A network at run time: its packed layers, the memory of a thread, and the loop over images. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "tuning.h"

#include "network.h"

#include "encode.h"
#include "memory.h"
#include "pool.h"
#include "variants.h"
#include "watch.h"

typedef struct {
    int is_pool;
    bnn_layer layer;
    bnn_pool pool;
    ptrdiff_t out_image; /* words of the map that it writes; 0 for the scores */
    void *weights;
    int32_t *limits, *base;
} stage;

struct bnn_network {
    const bnn_variant *variant;
    bnn_input input;
    int count;
    stage *stages;
};

struct bnn_workspace {
    int images, maps;
    void **map; /* map[i] is what stage i reads */
    void *scratch;
};

static void *copy(const void *data, size_t bytes) {
    void *memory = bnn_allocate(bytes);
    if (memory != NULL && bytes != 0) memcpy(memory, data, bytes);
    return memory;
}

bnn_network *bnn_network_new(int variant, const bnn_input *input, int stages) {
    bnn_network *network = calloc(1, sizeof *network);
    if (network == NULL) return NULL;
    network->variant = bnn_variant_at(variant);
    network->input = *input;
    network->stages = calloc((size_t)stages, sizeof *network->stages);
    if (network->stages == NULL) {
        free(network);
        return NULL;
    }
    return network;
}

int bnn_network_layer(bnn_network *network, const bnn_layer *layer, const uint64_t *bits,
                      const int8_t *bytes, const int32_t *limits, const int32_t *base) {
    stage *added = &network->stages[network->count];
    const bnn_rows rows = {bits, bytes};
    size_t lanes = (size_t)layer->groups * BNN_GROUP;
    added->layer = *layer;
    added->weights = bnn_allocate(network->variant->packed(layer));
    added->limits = copy(limits, lanes * (layer->result == BNN_TWO_BIT ? 2 : 1) * sizeof *limits);
    added->base = copy(base, (size_t)layer->outputs * sizeof *base);
    network->count++; /* so that a failure is freed with the rest */
    if (added->weights == NULL || added->limits == NULL || added->base == NULL) return -1;
    added->layer.weights = added->weights;
    added->layer.limits = added->limits;
    added->layer.base = added->base;
    network->variant->pack(&added->layer, &rows, added->weights);
    added->out_image = layer->result <= BNN_TWO_BIT ? layer->out_image : 0;
    return 0;
}

void bnn_network_pool(bnn_network *network, const bnn_pool *pool) {
    stage *added = &network->stages[network->count++];
    added->is_pool = 1;
    added->pool = *pool;
    added->out_image = pool->out_image;
}

void bnn_network_free(bnn_network *network) {
    if (network == NULL) return;
    for (int i = 0; i < network->count; i++) {
        bnn_release(network->stages[i].weights);
        bnn_release(network->stages[i].limits);
        bnn_release(network->stages[i].base);
    }
    free(network->stages);
    free(network);
}

bnn_workspace *bnn_workspace_new(const bnn_network *network, int images) {
    bnn_workspace *workspace = calloc(1, sizeof *workspace);
    const bnn_input *input = &network->input;
    size_t scratch = 0, first;
    int complete;
    if (workspace == NULL) return NULL;
    workspace->images = images;
    workspace->maps = network->count;
    workspace->map = calloc((size_t)network->count, sizeof *workspace->map);
    if (workspace->map == NULL) {
        free(workspace);
        return NULL;
    }
    first = (size_t)images * (size_t)input->image;
    if (input->encoding == BNN_SIGN_BITS) {
        first *= sizeof(uint64_t);
    } else {
        first += BNN_READ_PAST;
    }
    complete = (workspace->map[0] = bnn_allocate(first)) != NULL;
    if (complete && input->encoding == BNN_PIXELS) memset(workspace->map[0], 128, first);
    for (int i = 0; i < network->count; i++) {
        const stage *at = &network->stages[i];
        if (i > 0) {
            size_t words = (size_t)images * (size_t)network->stages[i - 1].out_image;
            workspace->map[i] = bnn_allocate(words * sizeof(uint64_t));
            complete &= workspace->map[i] != NULL;
        }
        if (!at->is_pool) {
            size_t wanted = network->variant->scratch(&at->layer, images);
            if (wanted > scratch) scratch = wanted;
        }
    }
    workspace->scratch = bnn_allocate(scratch);
    if (!complete || workspace->scratch == NULL) {
        bnn_workspace_free(workspace);
        return NULL;
    }
    return workspace;
}

void bnn_workspace_free(bnn_workspace *workspace) {
    if (workspace == NULL) return;
    for (int i = 0; i < workspace->maps; i++) bnn_release(workspace->map[i]);
    bnn_release(workspace->scratch);
    free(workspace->map);
    free(workspace);
}

int bnn_evaluate(const bnn_network *network, bnn_workspace *workspace, const uint8_t *images,
             ptrdiff_t count, int32_t *scores) {
    return bnn_evaluate_until(network, workspace, images, count, scores, NULL);
}

int bnn_evaluate_until(const bnn_network *network, bnn_workspace *workspace, const uint8_t *images,
             ptrdiff_t count, int32_t *scores, const int *stop) {
    bnn_watch watch = {.left = BNN_PATIENCE, .stop = stop};
    const bnn_input *input = &network->input;
    const ptrdiff_t bytes = (ptrdiff_t)input->height * input->row_bytes;
    const int outputs = network->stages[network->count - 1].layer.outputs;
    for (ptrdiff_t start = 0; start < count; start += workspace->images) {
        int some = count - start < workspace->images ? (int)(count - start) : workspace->images;
        bnn_encode(input, images + start * bytes, some, workspace->map[0]);
        for (int i = 0; i < network->count; i++) {
            const stage *at = &network->stages[i];
            void *in = workspace->map[i];
            void *out = i + 1 < network->count ? workspace->map[i + 1] : (void *)(scores + start * outputs);
            if (at->is_pool) {
                bnn_pool_evaluate(&at->pool, in, out, some, &watch);
            } else {
                network->variant->evaluate(&at->layer, in, out, some, workspace->scratch, &watch);
            }
            if (watch.ended) return 1;
        }
    }
    return 0;
}
