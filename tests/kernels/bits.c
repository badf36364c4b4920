/* Bytes to bits, and images to first maps, against the plainest loops that say the same. Usage: bits [rounds] */
#include "bits.h"
#include "encode.h"
#include "memory.h"
#include "primitives.h"
#include "store.h"

static void compare_top_bits(void) {
    uint8_t bytes[64];
    uint64_t expected = 0;
    for (int i = 0; i < 64; i++) {
        bytes[i] = (uint8_t)random_bits();
        expected |= (uint64_t)(bytes[i] >= 128) << i;
    }
    comparing = "bnn_top_bits_64";
    expect((int64_t)bnn_top_bits_64(bytes), (int64_t)expected, 0);
    comparing = "bnn_top_bits";
    for (int i = 0; i < 64; i += 8) expect((int64_t)bnn_top_bits(bytes + i), (int64_t)(expected >> i & 255), i);
}

/* Of any number of pixels: bits past the last are 0, and nothing is read or written past the ends (where guarded). */
static void compare_sign_bits(void) {
    const int count = pick(1, 200), words = (count + 63) / 64;
    uint8_t *from = bnn_allocate((size_t)count);
    uint64_t *to = bnn_allocate((size_t)words * sizeof *to);
    for (int i = 0; i < count; i++) from[i] = (uint8_t)random_bits();
    bnn_encode_sign_bits(from, count, to);
    comparing = "bnn_encode_sign_bits";
    for (int i = 0; i < 64 * words; i++) expect((int64_t)(to[i / 64] >> i % 64 & 1), i < count && from[i] >= 128, i);
    bnn_release(from);
    bnn_release(to);
}

/* Every byte: see BNN_PIXELS and BNN_SIGN_BYTES. */
static void compare_pixels(void) {
    uint8_t from[256], pixels[256], signs[256];
    for (int i = 0; i < 256; i++) from[i] = (uint8_t)i;
    bnn_encode_pixels(from, 256, pixels);
    bnn_encode_sign_bytes(from, 256, signs);
    for (int i = 0; i < 256; i++) {
        comparing = "bnn_encode_pixels";
        expect(pixels[i], i < 128 ? i : i < 255 ? i + 1 : 255, i);
        comparing = "bnn_encode_sign_bytes";
        expect(signs[i], i >= 128 ? 2 : 0, i);
    }
}

static void compare_fired(void) {
    int32_t value[BNN_GROUP], limit[BNN_GROUP];
    comparing = "bnn_fired";
    for (int i = 0; i < BNN_GROUP; i++) {
        value[i] = pick(-3, 3);
        limit[i] = pick(0, 3) ? pick(-3, 3) : (int32_t)random_bits();
    }
    for (int i = 0; i < BNN_GROUP; i++) expect((int64_t)(bnn_fired(value, limit) >> i & 1), value[i] < limit[i], i);
}

int main(int argc, char **argv) {
    const int rounds = argc > 1 ? atoi(argv[1]) : 1000;
    compare_pixels();
    for (int round = 0; round < rounds; round++) {
        compare_top_bits();
        compare_sign_bits();
        compare_fired();
    }
    printf("bits: %ld agree with plain loops\n", compared);
    return 0;
}
