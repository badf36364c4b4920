/* Compare each counting primitive of AVX-512 with its plain twin, lane by lane, on random words. Usage: [rounds] */
#include "platform.h"
#if BNN_X86
#define BNN_TARGET "popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq"
#include "tuning.h"

#include "avx512_counting.h"
#include "avx512_packing.h"
#include "counting_plain.h"
#include "memory.h"
#include "primitives.h"

enum { ALL = REGISTERS * LANES };

/* One round's words: of a map, and of the weights of a group. The middle of the map is what primitives are given, so
 * that a wrong distance in either direction is seen. */
static uint64_t *map;
static uint32_t weights[4 * ALL];
static int32_t before[ALL], after[ALL];

static uint32_t half_at(ptrdiff_t at) { return (uint32_t)(map[at / 8] >> (at % 8 * 8)); }

static void draw(void) {
    for (int i = 0; i < 64; i++) map[i] = random_word();
    for (int i = 0; i < 4 * ALL; i++) weights[i] = (uint32_t)random_word();
    for (int i = 0; i < ALL; i++) before[i] = (int32_t)random_bits() / 2;
}

static ptrdiff_t somewhere(void) { return pick(0, 127) * 4; }

static __m512i vector(const void *from) { return _mm512_loadu_si512(from); }

static void store_of(__m512i value, int32_t *to) { _mm512_storeu_si512(to, value); }

static void compare_count_one(void) {
    const ptrdiff_t at = somewhere();
    comparing = "count_one";
    store_of(count_one(vector(before), load(weights), map, at), after);
    for (int i = 0; i < LANES; i++) expect(after[i], before[i] + bnn_plain_count(weights[i], half_at(at)), i);
}

static void compare_count_ternary(void) {
    const uint32_t sign = (uint32_t)random_word(), used = (uint32_t)random_word();
    comparing = "count_ternary";
    store_of(count_ternary(vector(before), weights, _mm512_set1_epi32((int)sign), _mm512_set1_epi32((int)used)), after);
    for (int i = 0; i < LANES; i++) expect(after[i], before[i] + bnn_plain_count_ternary(weights[i], sign, used), i);
}

static void compare_count_four_ternary(void) {
    const uint32_t sign = (uint32_t)random_word(), used = (uint32_t)random_word();
    __m512i sum[REGISTERS];
    comparing = "count_four_ternary";
    for (int r = 0; r < REGISTERS; r++) sum[r] = vector(before + r * LANES);
    count_four_ternary(sum, weights, _mm512_set1_epi32((int)sign), _mm512_set1_epi32((int)used));
    for (int r = 0; r < REGISTERS; r++) store_of(sum[r], after + r * LANES);
    for (int i = 0; i < ALL; i++) expect(after[i], before[i] + bnn_plain_count_ternary(weights[i], sign, used), i);
}

/* Weights are given as where two planes are equal, and the first. */
static void compare_count_two_pairs(void) {
    const uint32_t sign = (uint32_t)random_word(), used = (uint32_t)random_word();
    uint32_t packed[4 * LANES];
    __m512i sum[2] = {vector(before), vector(before + LANES)};
    comparing = "count_two_pairs";
    for (int i = 0; i < 2 * LANES; i++) {
        packed[i / LANES * 2 * LANES + i % LANES] = ~(weights[i] ^ weights[i + ALL]);
        packed[i / LANES * 2 * LANES + LANES + i % LANES] = weights[i];
    }
    count_two_pairs(sum, packed, _mm512_set1_epi8(2), _mm512_set1_epi32((int)sign), _mm512_set1_epi32((int)used));
    store_of(sum[0], after);
    store_of(sum[1], after + LANES);
    for (int i = 0; i < 2 * LANES; i++) {
        expect(after[i], before[i] + bnn_plain_count_planes(weights[i], weights[i + ALL], sign, used), i);
    }
}

/* Both forms. Of the third word only the parity is given, of inputs as of weights. */
static void compare_count_three(void) {
    const ptrdiff_t first = somewhere(), second = somewhere(), parity = somewhere();
    const __m512i row[3] = {load(weights), load(weights + LANES), load(weights + 2 * LANES)};
    const uint64_t input[3] = {half_at(first), half_at(second), half_at(parity)};
    const __m512i twos = _mm512_set1_epi8(2);
    int32_t once[LANES];
    comparing = "count_three";
    store_of(count_three(vector(before), row, twos, map, first, second, parity), after);
    store_of(count_three_once(vector(before), weights, twos, broadcast(map, first), broadcast(map, second),
                              broadcast(map, parity)),
             once);
    for (int i = 0; i < LANES; i++) {
        const uint64_t weight[3] = {weights[i], weights[i + LANES], weights[i + 2 * LANES]};
        const int32_t expected = before[i] + bnn_plain_count_three(weight, input);
        expect(after[i], expected, i);
        expect(once[i], expected, i);
    }
}

/* The packing knows which lane becomes which bit. */
static void compare_negative(void) {
    group_values values, added;
    int32_t other[ALL];
    for (int i = 0; i < ALL; i++) other[i] = (int32_t)random_bits() / 4;
    for (int i = 0; i < ALL; i++) before[i] /= pick(0, 1) ? 2 : 1 << 28;
    for (int r = 0; r < REGISTERS; r++) values.r[r] = vector(before + r * LANES);
    added = plus(values, other);
    comparing = "negative";
    for (int r = 0; r < REGISTERS; r++) store_of(added.r[r], after + r * LANES);
    for (int bit = 0; bit < ALL; bit++) {
        expect((int64_t)(negative(values) >> bit & 1), before[place(bit)] < 0, bit);
        expect(after[bit], before[bit] + other[bit], bit);
    }
}

/* A word of the weights of one neuron and plane, as given and as far as threes keep it: the first two of three words
 * are there, and the parity of all three. */
static void compare_pack(void) {
    bnn_layer layer = {.kind = pick(0, 1) ? BNN_BITS : BNN_TERNARY, .outputs = pick(1, 130), .planes = pick(1, 2)};
    const int channels = pick(1, 2), kernel = pick(1, 7);
    layer.result = pick(BNN_ONE_BIT, BNN_FLAGS);
    layer.segments = pick(1, 3);
    layer.segment_length = layer.segments == 1 ? kernel : layer.segments * channels;
    layer.in_row = pick(8, 20);
    layer.groups = (layer.outputs + BNN_GROUP - 1) / BNN_GROUP;
    const int window = layer.segments * layer.segment_length, next = pixel(&layer), many = threes(&layer);
    static uint64_t given[2 * 130 * 18];
    static int32_t limits[2 * 3 * BNN_GROUP];
    for (int i = 0; i < layer.planes * layer.outputs * window; i++) given[i] = random_word();
    for (int i = 0; i < 2 * layer.groups * BNN_GROUP; i++) limits[i] = (int32_t)random_bits();
    layer.limits = limits;
    void *to = bnn_allocate(packed(&layer));
    const bnn_rows rows = {given, NULL};
    pack(&layer, &rows, to);
    layer.weights = to;
    comparing = "pack";
    for (int output = 0; output < layer.outputs; output++) {
        const int group = output / BNN_GROUP, lane = placement_of(&layer)(output % BNN_GROUP);
        const int reg = lane / LANES;
        expect((uint32_t)limits_of(&layer, 0, group)[lane], (uint32_t)-(uint32_t)limits[output], output);
        for (int plane = 0; plane < layer.planes; plane++) {
            const uint64_t *weight = given + (plane * layer.outputs + output) * window;
            const uint32_t *at = (const uint32_t *)weights_of(&layer) + group * group_size(&layer) + lane % LANES;
            if (together(&layer) == 2) {
                const uint64_t *other = given + ((1 - plane) * layer.outputs + output) * window;
                for (int i = 0; i < window; i++) {
                    for (int high = 0; high < 2; high++, at += 2 * BNN_GROUP) {
                        const uint64_t equal = ~(weight[i] ^ other[i]);
                        expect(at[2 * reg * LANES], (uint32_t)(equal >> 32 * high), output);
                        if (plane == 0) expect(at[(2 * reg + 1) * LANES], (uint32_t)(weight[i] >> 32 * high), output);
                    }
                }
                continue;
            }
            at += plane * window * 2 * BNN_GROUP;
            for (int i = 0; i < layer.segments * many; i++) {
                const uint64_t *word = weight + i / many * layer.segment_length + three(&layer, i % many);
                const uint64_t parts[3] = {word[0], word[next], word[0] ^ word[next] ^ word[2 * next]};
                for (int high = 0; high < 2; high++, at += 3 * BNN_GROUP) {
                    for (int j = 0; j < 3; j++) expect(at[(3 * reg + j) * LANES], (uint32_t)(parts[j] >> 32 * high), output);
                }
            }
            for (int segment = 0; segment < layer.segments; segment++) {
                for (int i = 3 * many; i < layer.segment_length; i++) {
                    const uint64_t word = weight[segment * layer.segment_length + i];
                    for (int high = 0; high < 2; high++, at += BNN_GROUP) {
                        expect(at[reg * LANES], (uint32_t)(word >> 32 * high), output);
                    }
                }
            }
        }
    }
    bnn_release(to);
}

int main(int argc, char **argv) {
    const int rounds = argc > 1 ? atoi(argv[1]) : 1000;
    if (!__builtin_cpu_supports("avx512vpopcntdq") || !__builtin_cpu_supports("avx512vnni") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq")) {
        printf("avx512: not on this processor, nothing is compared\n");
        return 0;
    }
    map = bnn_allocate(64 * sizeof *map); /* where guarded, no primitive reads beyond it */
    for (int round = 0; round < rounds; round++) {
        draw();
        compare_count_one();
        compare_count_ternary();
        compare_count_four_ternary();
        compare_count_two_pairs();
        compare_count_three();
        compare_negative();
        if (round % 10 == 0) compare_pack();
    }
    bnn_release(map);
    printf("avx512: %ld lanes agree with their plain twins\n", compared);
    return 0;
}
#include "untarget.h"
#else
int main(void) { return 0; }
#endif
