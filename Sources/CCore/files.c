#define _GNU_SOURCE
#include "CCore.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

int dst_preallocate(int file, int64_t bytes) {
#if defined(__linux__)
    int result;
    do result = fallocate(file, 0, 0, bytes);
    while (result != 0 && errno == EINTR);
    // A file system without preallocation: the space is taken as it is written.
    if (result != 0 && errno == EOPNOTSUPP) result = ftruncate(file, bytes);
    return result;
#else
    return ftruncate(file, bytes);
#endif
}

int dst_punch_hole(int file, int64_t offset, int64_t bytes) {
#if defined(__linux__)
    int result;
    do result = fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes);
    while (result != 0 && errno == EINTR);
    return result;
#else
    errno = EOPNOTSUPP;
    return -1;
#endif
}

int dst_sync_data(int file) {
#if defined(__linux__)
    return fdatasync(file);
#else
    return fcntl(file, F_FULLFSYNC);
#endif
}

int64_t dst_next_data(int file, int64_t offset) {
#if defined(SEEK_DATA)
    return lseek(file, offset, SEEK_DATA);
#else
    return offset;
#endif
}

int dst_open_direct(const char *path) {
#if defined(O_DIRECT)
    return open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
#else
    errno = EOPNOTSUPP;
    return -1;
#endif
}

void dst_start_writeback(int file, int64_t offset, int64_t bytes) {
#if defined(__linux__)
    sync_file_range(file, offset, bytes, SYNC_FILE_RANGE_WRITE);
#endif
}

int64_t dst_read_cached(int file, void *into, size_t bytes, int64_t offset) {
#if defined(__linux__) && defined(RWF_NOWAIT)
    struct iovec piece = {into, bytes};
    return preadv2(file, &piece, 1, offset, RWF_NOWAIT);
#else
    errno = EOPNOTSUPP;
    return -1;
#endif
}
