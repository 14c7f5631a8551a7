#include "CCore.h"

#include <pthread.h>
#include <string.h>

// Slicing by eight (Kounavis and Berry 2005): eight tables, eight bytes a step.
static uint32_t table32c[8][256], table32[8][256];
static uint64_t table64[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make32(uint32_t table[8][256], uint32_t polynomial) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
        table[0][byte] = crc;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int byte = 0; byte < 256; byte++)
            table[slice][byte] =
                table[slice - 1][byte] >> 8 ^ table[0][table[slice - 1][byte] & 255];
}

static void make_tables(void) {
    make32(table32c, 0x82F63B78u);
    make32(table32, 0xEDB88320u);
    for (uint64_t byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x9A6C9329AC4BC9B5ull : crc >> 1;
        table64[0][byte] = crc;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int byte = 0; byte < 256; byte++)
            table64[slice][byte] =
                table64[slice - 1][byte] >> 8 ^ table64[0][table64[slice - 1][byte] & 255];
}

static uint64_t load64(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static uint32_t sliced32(uint32_t table[8][256], uint32_t crc, const uint8_t *next, size_t count) {
    for (; count >= 8; count -= 8, next += 8) {
        uint64_t word = load64(next) ^ crc;
        crc = table[7][word & 255] ^ table[6][word >> 8 & 255] ^ table[5][word >> 16 & 255] ^
              table[4][word >> 24 & 255] ^ table[3][word >> 32 & 255] ^
              table[2][word >> 40 & 255] ^ table[1][word >> 48 & 255] ^ table[0][word >> 56];
    }
    for (; count > 0; count--, next++) crc = crc >> 8 ^ table[0][(crc ^ *next) & 255];
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
__attribute__((target("sse4.2"))) static uint32_t crc32c_hardware(
    uint32_t crc, const uint8_t *next, size_t count) {
    uint64_t wide = crc;
    for (; count >= 8; count -= 8, next += 8) wide = _mm_crc32_u64(wide, load64(next));
    crc = (uint32_t)wide;
    for (; count > 0; count--, next++) crc = _mm_crc32_u8(crc, *next);
    return crc;
}
static int has_crc32c(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *next, size_t count) {
    for (; count >= 8; count -= 8, next += 8) crc = __crc32cd(crc, load64(next));
    for (; count > 0; count--, next++) crc = __crc32cb(crc, *next);
    return crc;
}
static int has_crc32c(void) { return 1; }
#else
static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *next, size_t count) {
    return sliced32(table32c, crc, next, count);
}
static int has_crc32c(void) { return 0; }
#endif

uint32_t dst_crc32c(uint32_t crc, const void *bytes, size_t count) {
    if (has_crc32c()) return ~crc32c_hardware(~crc, bytes, count);
    pthread_once(&once, make_tables);
    return ~sliced32(table32c, ~crc, bytes, count);
}

uint32_t dst_crc32(uint32_t crc, const void *bytes, size_t count) {
    pthread_once(&once, make_tables);
    return ~sliced32(table32, ~crc, bytes, count);
}

uint64_t dst_crc64nvme(uint64_t crc, const void *bytes, size_t count) {
    pthread_once(&once, make_tables);
    const uint8_t *next = bytes;
    crc = ~crc;
    for (; count >= 8; count -= 8, next += 8) {
        uint64_t word = load64(next) ^ crc;
        crc = table64[7][word & 255] ^ table64[6][word >> 8 & 255] ^
              table64[5][word >> 16 & 255] ^ table64[4][word >> 24 & 255] ^
              table64[3][word >> 32 & 255] ^ table64[2][word >> 40 & 255] ^
              table64[1][word >> 48 & 255] ^ table64[0][word >> 56];
    }
    for (; count > 0; count--, next++) crc = crc >> 8 ^ table64[0][(crc ^ *next) & 255];
    return ~crc;
}
