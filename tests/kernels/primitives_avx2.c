/* Compare the counting primitives of AVX2 with their plain twins, lane by lane, on random words. Usage: [rounds] */
#include "platform.h"
#if BNN_X86
#define BNN_TARGET "popcnt,avx2"
#include "tuning.h"

#include "avx2_counting.h"
#include "avx2_packing.h"
#include "counting_plain.h"
#include "memory.h"
#include "primitives.h"

/* Words of a map of two windows, and weights of a group: some words of each neuron, and packed as the tiles want them. */
static uint64_t first[8], second[8], weights[BNN_GROUP][WIDEN];
static uint8_t packed_weights[WIDEN * NIBBLES * BNN_GROUP];
static int32_t offset[WIDEN];
static uint16_t choice[8 * NIBBLES], before[2][BNN_GROUP], sum[2][BNN_GROUP];

static void draw(void) {
    for (int i = 0; i < 8; i++) first[i] = random_word(), second[i] = random_word();
    for (int word = 0; word < WIDEN; word++) {
        offset[word] = pick(0, 7) * NIBBLES;
        for (int neuron = 0; neuron < BNN_GROUP; neuron++) {
            weights[neuron][word] = random_word();
            for (int nibble = 0; nibble < NIBBLES; nibble++) {
                packed_weights[(word * NIBBLES + order(nibble)) * BNN_GROUP + byte_of(place(neuron))] =
                    (uint8_t)(weights[neuron][word] >> (4 * nibble) & 15);
            }
        }
    }
    for (int w = 0; w < 2; w++) {
        for (int i = 0; i < BNN_GROUP; i++) sum[w][i] = before[w][i] = (uint16_t)pick(0, 60000);
    }
}

static void choose(const uint64_t *low, const uint64_t *high) {
    for (int i = 0; i < 8; i++) spread(low[i], high[i], choice + i * NIBBLES);
}

static void compare_count_pair(int words) {
    comparing = "count_pair";
    choose(first, second);
    count_pair(packed_weights, offset, words, choice, sum);
    for (int neuron = 0; neuron < BNN_GROUP; neuron++) {
        int32_t expected[2] = {before[0][place(neuron)], before[1][place(neuron)]};
        for (int word = 0; word < words; word++) {
            expected[0] += bnn_plain_count(weights[neuron][word], first[offset[word] / NIBBLES]);
            expected[1] += bnn_plain_count(weights[neuron][word], second[offset[word] / NIBBLES]);
        }
        for (int w = 0; w < 2; w++) expect(sum[w][place(neuron)], expected[w], neuron);
    }
}

/* Ternary inputs; without a mask they are a single window's. */
static void compare_count_single(int words, int masked) {
    static const uint64_t all[8] = {~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0,
                                    ~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0};
    const uint64_t *used = masked ? second : all;
    comparing = "count_single";
    choose(first, used);
    count_single(packed_weights, offset, words, choice, sum[0]);
    for (int neuron = 0; neuron < BNN_GROUP; neuron++) {
        int32_t expected = before[0][place(neuron)];
        for (int word = 0; word < words; word++) {
            const int at = offset[word] / NIBBLES;
            expected += bnn_plain_count_ternary(weights[neuron][word], first[at], used[at]);
        }
        expect(sum[0][place(neuron)], expected, neuron);
    }
}

static void compare_fired(void) {
    int16_t value[BNN_GROUP], limit[BNN_GROUP];
    group_values values;
    comparing = "fired";
    for (int i = 0; i < BNN_GROUP; i++) {
        limit[i] = (int16_t)random_bits();
        value[i] = (int16_t)(pick(0, 1) ? random_bits() : (uint64_t)(limit[i] + pick(-1, 1)));
    }
    memcpy(&values, value, sizeof values);
    for (int neuron = 0; neuron < BNN_GROUP; neuron++) {
        const int lane = place(neuron);
        expect((int64_t)(fired(values, limit) >> neuron & 1), value[lane] < limit[lane], neuron);
    }
}

/* pack() puts weights and limits where the words above have them. */
static void compare_pack(void) {
    bnn_layer layer = {.kind = BNN_BITS, .result = BNN_TWO_BIT, .outputs = pick(1, 130), .planes = pick(1, 2)};
    layer.segments = pick(1, 3);
    layer.segment_length = pick(1, 3);
    layer.in_row = pick(3, 9);
    layer.groups = (layer.outputs + BNN_GROUP - 1) / BNN_GROUP;
    const int words = window_words(&layer);
    static uint64_t given[2 * 130 * 9];
    static int32_t limits[2 * 3 * BNN_GROUP];
    for (int i = 0; i < layer.planes * layer.outputs * words; i++) given[i] = random_word();
    for (int i = 0; i < 2 * layer.groups * BNN_GROUP; i++) limits[i] = (int32_t)random_bits() >> pick(0, 20);
    layer.limits = limits;
    void *to = bnn_allocate(packed(&layer));
    const bnn_rows rows = {given, NULL};
    pack(&layer, &rows, to);
    layer.weights = to;
    comparing = "pack";
    for (int output = 0; output < layer.outputs; output++) {
        const int group = output / BNN_GROUP, lane = place(output % BNN_GROUP);
        for (int threshold = 0; threshold < 2; threshold++) {
            const int32_t limit = limits[threshold * layer.groups * BNN_GROUP + output];
            const int32_t nearest = limit > 32767 ? 32767 : limit < -32768 ? -32768 : limit;
            expect(limits_of(&layer, threshold, group)[lane], nearest, output);
        }
        const int32_t *places = packed_of(&layer);
        const uint8_t *packed_bytes = (const uint8_t *)places + offsets_size(&layer);
        for (int plane = 0; plane < layer.planes; plane++) {
            for (int word = 0; word < words; word++) {
                const uint8_t *at = packed_bytes + ((group * layer.planes + plane) * words + word) * NIBBLES * BNN_GROUP;
                uint64_t found = 0;
                for (int nibble = 0; nibble < NIBBLES; nibble++) {
                    found |= (uint64_t)at[order(nibble) * BNN_GROUP + byte_of(lane)] << (4 * nibble);
                }
                expect((int64_t)found, (int64_t)given[(plane * layer.outputs + output) * words + word], output);
                const int segment = word / layer.segment_length;
                expect(places[word], (segment * layer.in_row + word % layer.segment_length) * NIBBLES, word);
            }
        }
    }
    bnn_release(to);
}

int main(int argc, char **argv) {
    const int rounds = argc > 1 ? atoi(argv[1]) : 1000;
    if (!__builtin_cpu_supports("avx2")) {
        printf("avx2: not on this processor, nothing is compared\n");
        return 0;
    }
    for (int round = 0; round < rounds; round++) {
        for (int words = 1; words <= WIDEN; words++) {
            draw();
            compare_count_pair(words);
            draw();
            compare_count_single(words, 0);
            draw();
            compare_count_single(words, 1);
        }
        compare_fired();
        if (round % 10 == 0) compare_pack();
    }
    printf("avx2: %ld lanes agree with their plain twins\n", compared);
    return 0;
}
#include "untarget.h"
#else
int main(void) { return 0; }
#endif
