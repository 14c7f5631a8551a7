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

/// Gives the file its size and, where the file system can, its space. 0, or -1 with errno.
int dst_preallocate(int file, int64_t bytes);
/// Frees the space of a range, which reads as zeros afterwards. 0, or -1 with errno.
int dst_punch_hole(int file, int64_t offset, int64_t bytes);
/// fdatasync; F_FULLFSYNC on Darwin. 0, or -1 with errno.
int dst_sync_data(int file);
/// Where the next bytes at or after `offset` are that are not a hole; -1 with errno (ENXIO: none).
int64_t dst_next_data(int file, int64_t offset);
/// Opens a file for writing past the page cache, in whole pages from page-aligned memory. -1 with
/// errno where the file system has no such thing.
int dst_open_direct(const char *path);
/// Asks the kernel to begin writing dirty pages of a range. No promise.
void dst_start_writeback(int file, int64_t offset, int64_t bytes);
/// Reads what is in the page cache and never waits for the disk. Bytes read, or -1 with errno
/// (EAGAIN: not cached).
int64_t dst_read_cached(int file, void *into, size_t bytes, int64_t offset);

/// Names the calling thread; the first 15 bytes count.
void dst_name_thread(const char *name);

/// The simulation that the calling thread runs, or a null pointer: what is random, and what would
/// go to another thread, is asked of it.
void *dst_simulation(void);
void dst_set_simulation(void *simulation);

#endif
