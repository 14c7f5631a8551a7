// What Core needs of C: checksums with the processor's own instructions where it has them (each
// continues from a former result: start with 0, feed pieces in order), and variadic system calls.
#ifndef DST_CCORE_H
#define DST_CCORE_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 B.4).
uint32_t dst_crc32c(uint32_t crc, const void *bytes, size_t count);
/// CRC-32 (ISO-HDLC, as in zlib).
uint32_t dst_crc32(uint32_t crc, const void *bytes, size_t count);
/// CRC-64/NVME (NVM Express base specification, 64-bit CRC).
uint64_t dst_crc64nvme(uint64_t crc, const void *bytes, size_t count);

/// Names the calling thread; the first 15 bytes count.
void dst_name_thread(const char *name);

#endif
