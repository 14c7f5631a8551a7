// Preloaded into a process, remembers what it wrote below a directory and did not sync, so that a
// power cut can take it back (see power.py), and plays a disk that fails, fills up or is slow.
//
// UNSYNCED_ROOT   the directory, absolute
// UNSYNCED_STATE  a directory beside it, on the same file system, for what is remembered there
// UNSYNCED_LIE    patterns (fnmatch, separated by ':') of paths whose syncs do nothing and say that
//                 they did: "segments/*", "raft/*", "*"; directories end in '/', the root is "./"
//
// For each inode the state holds two files: a link to it, so that it is there when all its names
// are gone, and a journal of what its changes replaced. A record is in the journal before its
// change is made, and leaves it when a sync that began after the change has ended well. Since both are
// files, kill -9 at any moment leaves them in order: the kernel has them.
//
// Syncs promise what POSIX says and no more: of a file, its bytes and size; of a directory, the
// names in it. sync_file_range promises nothing. Memory that is shared by way of a file is not
// followed; SQLite's "-shm" files, which say nothing after a power cut, are left alone. What can't
// be followed is complained about in the state's "complaints", and a test fails.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// What the test says, and what came of it: eight little-endian numbers in the state's "control".
struct control {
    int64_t sync_errors;    // so many syncs fail with EIO; -1: all
    int64_t full;           // 1: nothing grows; 2: no byte can be written
    int64_t sync_delay_ms;  // each sync takes so much longer
    int64_t unused;
    _Atomic int64_t failed_syncs, refused_writes, slow_syncs, syncs;
};

enum kind { WRITE = 1, PUNCH, PIECE, SIZE, CREATE, UNLINK, RENAME, MKDIR, RMDIR };

// A record in a journal, in front of `stored` bytes: what was there, or, of a change of names,
// "inode path" or "inode path to replaced-inode", separated by tabs.
struct record {
    uint32_t magic, kind;
    int64_t offset, length;
    int64_t size_before, size_after;
    int64_t stored;
};
#define MAGIC 0x31534e55u
// In front of all records: where those begin that are not synced.
#define HEADER_BYTES 8
#define PIECE_BYTES (1 << 20)
#define FILES_MAX 65536

struct tracked {
    dev_t device;
    ino_t inode;
    bool is_directory, lies, is_gone;
    pthread_mutex_t lock;
    int journal, plain;
    int64_t end;
    // How often the journal was emptied: an offset of earlier means nothing after that.
    int64_t emptied;
    char name[512];
    struct tracked *next;
};

static struct {
    bool is_on;
    size_t root_bytes;
    char root[PATH_MAX], state[PATH_MAX], lie[1024];
    struct control *control;
} my;
static struct control nothing;
static struct tracked *_Atomic files[FILES_MAX];
static struct tracked *all;
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
// Held while names change, so that records are in the order of the changes.
static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;

// The real calls

#define REAL(result, name, ...) \
    static result (*real_##name)(__VA_ARGS__); \
    __attribute__((constructor(101))) static void find_##name(void) { \
        real_##name = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name); \
    }
REAL(int, open64, const char *, int, ...)
REAL(int, openat64, int, const char *, int, ...)
REAL(int, close, int)
REAL(int, dup, int)
REAL(int, dup2, int, int)
REAL(int, dup3, int, int, int)
REAL(int, fcntl64, int, int, ...)
REAL(FILE *, fopen64, const char *, const char *)
REAL(ssize_t, write, int, const void *, size_t)
REAL(ssize_t, writev, int, const struct iovec *, int)
REAL(ssize_t, pwrite64, int, const void *, size_t, off_t)
REAL(ssize_t, pwritev64, int, const struct iovec *, int, off_t)
REAL(ssize_t, pwritev64v2, int, const struct iovec *, int, off_t, int)
REAL(int, ftruncate64, int, off_t)
REAL(int, fallocate64, int, int, off_t, off_t)
REAL(int, posix_fallocate64, int, off_t, off_t)
REAL(int, fsync, int)
REAL(int, fdatasync, int)
REAL(int, syncfs, int)
REAL(int, renameat2, int, const char *, int, const char *, unsigned)
REAL(int, unlinkat, int, const char *, int)
REAL(int, mkdirat, int, const char *, mode_t)
REAL(int, linkat, int, const char *, int, const char *, int)
REAL(int, symlinkat, const char *, int, const char *)
REAL(int, mkostemps64, char *, int, int)
REAL(void *, mmap64, void *, size_t, int, int, int, off_t)
REAL(ssize_t, sendfile64, int, int, off_t *, size_t)
REAL(ssize_t, copy_file_range, int, off_t *, int, off_t *, size_t, unsigned)
REAL(ssize_t, splice, int, off_t *, int, off_t *, size_t, unsigned)
REAL(long, syscall, long, ...)

static void complain(const char *what, const char *path) {
    char line[PATH_MAX + 100];
    snprintf(line, sizeof line, "%s %s\n", what, path);
    fputs(line, stderr);
    char name[PATH_MAX + 20];
    snprintf(name, sizeof name, "%s/complaints", my.state);
    int file = real_open64(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 || real_write(file, line, strlen(line)) < 0) abort();
    real_close(file);
}

__attribute__((constructor(102))) static void begin(void) {
    const char *root = getenv("UNSYNCED_ROOT"), *state = getenv("UNSYNCED_STATE");
    if (!root || !state) return;
    snprintf(my.root, sizeof my.root, "%s", root);
    snprintf(my.state, sizeof my.state, "%s", state);
    snprintf(my.lie, sizeof my.lie, "%s", getenv("UNSYNCED_LIE") ? getenv("UNSYNCED_LIE") : "");
    my.root_bytes = strlen(my.root);
    my.control = &nothing;
    char name[PATH_MAX + 20];
    snprintf(name, sizeof name, "%s/control", my.state);
    int file = real_open64(name, O_RDWR | O_CLOEXEC);
    if (file >= 0) {
        void *shared = real_mmap64(
            NULL, sizeof nothing, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (shared == MAP_FAILED) abort();
        my.control = shared;
        real_close(file);
    }
    my.is_on = true;
}

// Paths and files

// The path below the root ("" for the root itself), or NULL if it is elsewhere.
static const char *below(int directory, const char *path, char *room) {
    if (!my.is_on || !path) return NULL;
    if (path[0] == '/') {
        snprintf(room, PATH_MAX, "%s", path);
    } else {
        char link[64], base[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
        ssize_t count = readlink(directory == AT_FDCWD ? "/proc/self/cwd" : link, base, PATH_MAX);
        if (count < 0 || count + strlen(path) + 2 > PATH_MAX) return NULL;
        base[count] = 0;
        room[0] = 0;
        strcat(strcat(strcpy(room, base), "/"), path);
    }
    if (strncmp(room, my.root, my.root_bytes) != 0) return NULL;
    char *rest = room + my.root_bytes;
    if (*rest != 0 && *rest != '/') return NULL;
    while (*rest == '/') rest++;
    for (char *end = rest + strlen(rest); end > rest && end[-1] == '/';) *--end = 0;
    if (strstr(rest, "//") || strstr(rest, "..")) complain("a path that is not plain:", room);
    return rest;
}

static bool is_memory(const char *name) {
    size_t bytes = strlen(name);
    return bytes > 4 && strcmp(name + bytes - 4, "-shm") == 0;
}

static bool lies(const char *name, bool is_directory) {
    char patterns[1024], path[600], *rest = patterns, *pattern;
    strcpy(patterns, my.lie);
    snprintf(path, sizeof path, "%s%s", *name ? name : ".", is_directory ? "/" : "");
    while ((pattern = strsep(&rest, ":")))
        if (*pattern && fnmatch(pattern, path, 0) == 0) return true;
    return false;
}

static void state_path(char *room, ino_t inode, const char *suffix) {
    snprintf(room, PATH_MAX, "%s/%llu.%s", my.state, (unsigned long long)inode, suffix);
}

// Where the last whole record ends: a process may have been killed in the middle of one.
static int64_t journal_end(int journal) {
    int64_t at = HEADER_BYTES;
    struct record record;
    struct stat status;
    if (fstat(journal, &status) != 0) abort();
    while (pread64(journal, &record, sizeof record, at) == sizeof record && record.magic == MAGIC) {
        int64_t next = at + (int64_t)sizeof record + record.stored;
        if (next > status.st_size) break;
        at = next;
    }
    return at;
}

// The inode's entry, made when there is none. `path`: a name under which it can be found now.
static struct tracked *track(const struct stat *status, const char *path, const char *name) {
    pthread_mutex_lock(&all_lock);
    struct tracked *found = all;
    while (found && (found->is_gone || found->inode != status->st_ino)) found = found->next;
    if (!found) {
        found = calloc(1, sizeof *found);
        found->device = status->st_dev;
        found->inode = status->st_ino;
        found->is_directory = S_ISDIR(status->st_mode);
        snprintf(found->name, sizeof found->name, "%s", name);
        found->lies = lies(name, found->is_directory);
        pthread_mutex_init(&found->lock, NULL);
        found->plain = -1;
        char there[PATH_MAX];
        if (!found->is_directory) {
            state_path(there, found->inode, "file");
            if (real_linkat(AT_FDCWD, path, AT_FDCWD, there, 0) != 0 && errno != EEXIST)
                complain("no link to", path);
            found->plain = real_open64(there, O_RDWR | O_CLOEXEC);
            if (found->plain < 0) complain("can't open", there);
        }
        state_path(there, found->inode, "journal");
        found->journal = real_open64(there, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (found->journal < 0) complain("can't open", there);
        found->end = journal_end(found->journal);
        found->next = all;
        all = found;
    }
    pthread_mutex_unlock(&all_lock);
    return found;
}

// The entry of an open file, or NULL for what is not ours. Numbers are used again, also for what
// was opened without our seeing it.
static struct tracked *of_file(int file) {
    if (file < 0 || file >= FILES_MAX) return NULL;
    struct tracked *found = files[file];
    if (!found) return NULL;
    struct stat status;
    if (fstat(file, &status) == 0 && status.st_ino == found->inode
        && status.st_dev == found->device)
        return found;
    files[file] = NULL;
    return NULL;
}

static void note_file(int file, struct tracked *entry) {
    if (file >= 0 && file < FILES_MAX) files[file] = entry;
    else if (entry) complain("a file number beyond the table:", entry->name);
}

static struct tracked *track_directory(const char *name) {
    char parent[PATH_MAX], path[2 * PATH_MAX + 2];
    snprintf(parent, sizeof parent, "%s", name);
    char *slash = strrchr(parent, '/');
    *(slash ? slash : parent) = 0;
    snprintf(path, sizeof path, "%s/%s", my.root, parent);
    struct stat status;
    if (stat(path, &status) != 0) {
        complain("no directory", path);
        abort();
    }
    return track(&status, path, parent);
}

// Journals

static void append(struct tracked *entry, struct record *record, const void *bytes) {
    record->magic = MAGIC;
    struct iovec pieces[2] = {
        {record, sizeof *record}, {(void *)bytes, (size_t)record->stored}};
    ssize_t want = (ssize_t)(sizeof *record + (size_t)record->stored);
    if (real_pwritev64(entry->journal, pieces, record->stored ? 2 : 1, entry->end) != want) {
        complain("can't remember a change of", entry->name);
        abort();
    }
    entry->end += want;
}

static bool is_zero(const char *bytes, int64_t count) {
    return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, (size_t)count - 1) == 0);
}

static int64_t size_of(struct tracked *entry) {
    struct stat status;
    return fstat(entry->plain, &status) == 0 ? status.st_size : 0;
}

// What is there before bytes are replaced; zeros are not kept. The entry is locked.
static void remember_bytes(
    struct tracked *entry, enum kind kind, int64_t offset, int64_t length, int64_t size) {
    int64_t after = kind == WRITE && offset + length > size ? offset + length : size;
    struct record record = {
        .kind = kind, .offset = offset, .length = length, .size_before = size,
        .size_after = after};
    int64_t old = size - offset < length ? size - offset : length;
    char *bytes = old > 0 ? malloc((size_t)old) : NULL;
    if (bytes && pread64(entry->plain, bytes, (size_t)old, offset) == old && !is_zero(bytes, old))
        record.stored = old;
    append(entry, &record, bytes);
    free(bytes);
}

static void remember_size(struct tracked *entry, int64_t size, int64_t new_size) {
    // Of what is cut off, only what is data.
    for (int64_t at = new_size; at < size;) {
        int64_t data = lseek64(entry->plain, at, SEEK_DATA);
        if (data < 0 || data >= size) break;
        int64_t length = size - data < PIECE_BYTES ? size - data : PIECE_BYTES;
        remember_bytes(entry, PIECE, data, length, size);
        at = data + length;
    }
    struct record record = {
        .kind = SIZE, .size_before = size, .size_after = new_size};
    append(entry, &record, NULL);
}

static void remember_names(
    struct tracked *directory, enum kind kind, ino_t inode, const char *path, const char *to,
    ino_t replaced) {
    char text[3 * PATH_MAX];
    struct record record = {.kind = kind};
    record.stored = snprintf(
        text, sizeof text, "%llu\t%s\t%s\t%llu", (unsigned long long)inode, path, to ? to : "",
        (unsigned long long)replaced);
    pthread_mutex_lock(&directory->lock);
    append(directory, &record, text);
    pthread_mutex_unlock(&directory->lock);
}

// Files that have lost their last name for good.
static void forget_file(ino_t inode) {
    char link[PATH_MAX], journal[PATH_MAX];
    state_path(link, inode, "file");
    state_path(journal, inode, "journal");
    struct stat status;
    if (stat(link, &status) != 0 || status.st_nlink > 1) return;
    pthread_mutex_lock(&all_lock);
    for (struct tracked *entry = all; entry; entry = entry->next)
        if (entry->inode == inode) entry->is_gone = true;
    real_unlinkat(AT_FDCWD, link, 0);
    real_unlinkat(AT_FDCWD, journal, 0);
    pthread_mutex_unlock(&all_lock);
}

static void forget_directory(ino_t inode) {
    char journal[PATH_MAX];
    state_path(journal, inode, "journal");
    pthread_mutex_lock(&all_lock);
    for (struct tracked *entry = all; entry; entry = entry->next)
        if (entry->inode == inode) entry->is_gone = true;
    real_unlinkat(AT_FDCWD, journal, 0);
    pthread_mutex_unlock(&all_lock);
}

// The records from the first unsynced one to `end`; `each` gets them in order.
static void for_each(
    struct tracked *entry, int64_t end, void (*each)(int64_t, struct record *, void *), void *to) {
    int64_t at = 0;
    struct record record;
    if (pread64(entry->journal, &at, sizeof at, 0) != sizeof at || at < HEADER_BYTES)
        at = HEADER_BYTES;
    while (at < end) {
        if (pread64(entry->journal, &record, sizeof record, at) != sizeof record) abort();
        each(at, &record, to);
        at += (int64_t)sizeof record + record.stored;
    }
}

static void forget_replaced(int64_t at, struct record *record, void *entry) {
    char text[3 * PATH_MAX] = "";
    int64_t from = at + (int64_t)sizeof *record;
    if (record->kind != UNLINK && record->kind != RENAME) return;
    int journal = ((struct tracked *)entry)->journal;
    if (pread64(journal, text, (size_t)record->stored, from) < 0) abort();
    char *number = record->kind == UNLINK ? text : strrchr(text, '\t') + 1;
    ino_t inode = strtoull(number, NULL, 10);
    if (inode) forget_file(inode);
}

// A sync that began when the journal ended at `mark` has ended well.
static void forget_synced(struct tracked *entry, int64_t mark) {
    if (entry->is_directory) for_each(entry, mark, forget_replaced, entry);
    int64_t first = 0;
    if (mark == entry->end) {
        if (real_ftruncate64(entry->journal, 0) != 0) abort();
        entry->end = HEADER_BYTES;
        entry->emptied++;
    } else if (pread64(entry->journal, &first, sizeof first, 0) != sizeof first || first < mark) {
        if (real_pwrite64(entry->journal, &mark, sizeof mark, 0) != sizeof mark) abort();
    }
}

struct offsets {
    int64_t *at;
    size_t count;
};

static void collect(int64_t at, struct record *record, void *to) {
    struct offsets *offsets = to;
    (void)record;
    offsets->at = realloc(offsets->at, (offsets->count + 1) * sizeof at);
    offsets->at[offsets->count++] = at;
}

// The kernel could not write the pages and has dropped them: what is read next is what the disk
// has.
static void take_back(struct tracked *entry) {
    struct offsets offsets = {0};
    for_each(entry, entry->end, collect, &offsets);
    while (offsets.count > 0) {
        struct record record;
        int64_t at = offsets.at[--offsets.count];
        if (pread64(entry->journal, &record, sizeof record, at) != sizeof record) abort();
        if (real_ftruncate64(entry->plain, record.size_before) != 0) abort();
        int64_t old = record.size_before - record.offset;
        if (old > record.length) old = record.length;
        if (record.kind == SIZE || old <= 0) continue;
        char *bytes = calloc(1, (size_t)old);
        if (record.stored
            && pread64(entry->journal, bytes, (size_t)old, at + (int64_t)sizeof record) != old)
            abort();
        if (real_pwrite64(entry->plain, bytes, (size_t)old, record.offset) != old) abort();
        free(bytes);
    }
    free(offsets.at);
    forget_synced(entry, entry->end);
}

// Syncs

static int fails(int64_t *left) {
    int64_t count = __atomic_load_n(left, __ATOMIC_RELAXED);
    while (count > 0)
        if (__atomic_compare_exchange_n(
                left, &count, count - 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return 1;
    return count < 0;
}

static int sync_file(int file, int (*real)(int)) {
    struct tracked *entry = of_file(file);
    if (!entry) return real(file);
    my.control->syncs++;
    if (entry->lies) return 0;
    pthread_mutex_lock(&entry->lock);
    int64_t mark = entry->end, emptied = entry->emptied;
    pthread_mutex_unlock(&entry->lock);
    int64_t delay = my.control->sync_delay_ms;
    if (delay > 0) {
        my.control->slow_syncs++;
        struct timespec pause = {delay / 1000, delay % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    if (fails(&my.control->sync_errors)) {
        pthread_mutex_lock(&entry->lock);
        if (!entry->is_directory) take_back(entry);
        pthread_mutex_unlock(&entry->lock);
        my.control->failed_syncs++;
        errno = EIO;
        return -1;
    }
    int result = real(file);
    if (result != 0) return result;
    pthread_mutex_lock(&entry->lock);
    if (!entry->is_gone && emptied == entry->emptied) forget_synced(entry, mark);
    pthread_mutex_unlock(&entry->lock);
    return 0;
}

int fsync(int file) { return sync_file(file, real_fsync); }
int fdatasync(int file) { return sync_file(file, real_fdatasync); }

int syncfs(int file) {
    if (my.is_on) complain("syncfs", "");
    return real_syncfs(file);
}

// Writes

static bool is_full(struct tracked *entry, int64_t end) {
    int64_t full = my.control->full;
    if (full == 0 || (full == 1 && end <= size_of(entry))) return false;
    my.control->refused_writes++;
    errno = ENOSPC;
    return true;
}

static int64_t length_of(const struct iovec *pieces, int count) {
    int64_t length = 0;
    for (int number = 0; number < count; number++) length += (int64_t)pieces[number].iov_len;
    return length;
}

// Writes at an offset, or, where that is negative, where the file stands.
static ssize_t write_pieces(
    struct tracked *entry, int file, const struct iovec *pieces, int count, off_t offset) {
    pthread_mutex_lock(&entry->lock);
    bool is_here = offset < 0;
    int64_t size = size_of(entry), length = length_of(pieces, count);
    if (is_here) {
        bool is_at_end = real_fcntl64(file, F_GETFL) & O_APPEND;
        offset = is_at_end ? size : lseek64(file, 0, SEEK_CUR);
    }
    ssize_t result = -1;
    if (!is_full(entry, offset + length)) {
        if (length > 0) remember_bytes(entry, WRITE, offset, length, size);
        result = is_here ? real_writev(file, pieces, count)
                         : real_pwritev64(file, pieces, count, offset);
    }
    pthread_mutex_unlock(&entry->lock);
    return result;
}

ssize_t write(int file, const void *bytes, size_t count) {
    struct tracked *entry = of_file(file);
    if (!entry) return real_write(file, bytes, count);
    struct iovec piece = {(void *)bytes, count};
    return write_pieces(entry, file, &piece, 1, -1);
}

ssize_t writev(int file, const struct iovec *pieces, int count) {
    struct tracked *entry = of_file(file);
    if (!entry) return real_writev(file, pieces, count);
    return write_pieces(entry, file, pieces, count, -1);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off_t offset) {
    struct tracked *entry = of_file(file);
    if (!entry) return real_pwrite64(file, bytes, count, offset);
    struct iovec piece = {(void *)bytes, count};
    return write_pieces(entry, file, &piece, 1, offset);
}
ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    return pwrite64(file, bytes, count, offset);
}

ssize_t pwritev64(int file, const struct iovec *pieces, int count, off_t offset) {
    struct tracked *entry = of_file(file);
    if (!entry) return real_pwritev64(file, pieces, count, offset);
    return write_pieces(entry, file, pieces, count, offset);
}
ssize_t pwritev(int file, const struct iovec *pieces, int count, off_t offset) {
    return pwritev64(file, pieces, count, offset);
}

ssize_t pwritev64v2(int file, const struct iovec *pieces, int count, off_t offset, int flags) {
    struct tracked *entry = of_file(file);
    if (!entry) return real_pwritev64v2(file, pieces, count, offset, flags);
    if (flags) complain("pwritev2 with flags", entry->name);
    return write_pieces(entry, file, pieces, count, offset);
}
ssize_t pwritev2(int file, const struct iovec *pieces, int count, off_t offset, int flags) {
    return pwritev64v2(file, pieces, count, offset, flags);
}

static int set_size(struct tracked *entry, int file, off_t size) {
    pthread_mutex_lock(&entry->lock);
    int result = -1;
    if (!is_full(entry, size)) {
        remember_size(entry, size_of(entry), size);
        result = real_ftruncate64(file, size);
    }
    pthread_mutex_unlock(&entry->lock);
    return result;
}

int ftruncate64(int file, off_t size) {
    struct tracked *entry = of_file(file);
    return entry ? set_size(entry, file, size) : real_ftruncate64(file, size);
}
int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int truncate64(const char *path, off_t size) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    int result = ftruncate64(file, size);
    int error = errno;
    close(file);
    errno = error;
    return result;
}
int truncate(const char *path, off_t size) { return truncate64(path, size); }

int fallocate64(int file, int mode, off_t offset, off_t length) {
    struct tracked *entry = of_file(file);
    if (!entry) return real_fallocate64(file, mode, offset, length);
    pthread_mutex_lock(&entry->lock);
    int64_t size = size_of(entry), end = offset + length;
    int result = -1;
    if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) {
        if (offset < size) remember_bytes(entry, PUNCH, offset, length, size);
        result = real_fallocate64(file, mode, offset, length);
    } else if (mode == 0 || mode == FALLOC_FL_KEEP_SIZE) {
        if (!is_full(entry, end)) {
            if (mode == 0 && end > size) remember_size(entry, size, end);
            result = real_fallocate64(file, mode, offset, length);
        }
    } else {
        complain("fallocate in another mode", entry->name);
        errno = EOPNOTSUPP;
    }
    pthread_mutex_unlock(&entry->lock);
    return result;
}
int fallocate(int file, int mode, off_t offset, off_t length) {
    return fallocate64(file, mode, offset, length);
}

int posix_fallocate64(int file, off_t offset, off_t length) {
    struct tracked *entry = of_file(file);
    if (!entry) return real_posix_fallocate64(file, offset, length);
    int before = errno;
    int result = fallocate64(file, 0, offset, length) == 0 ? 0 : errno;
    errno = before;
    return result;
}
int posix_fallocate(int file, off_t offset, off_t length) {
    return posix_fallocate64(file, offset, length);
}

// Files that are opened and closed

static int open_below(int directory, const char *path, int flags, mode_t mode, const char *name) {
    struct stat status;
    if (is_memory(name)) return real_openat64(directory, path, flags, mode);
    bool may_write = (flags & O_ACCMODE) != O_RDONLY;
    bool is_new = false;
    int file = -1;
    if (flags & O_CREAT) pthread_mutex_lock(&names_lock);
    if (!(flags & O_CREAT) || fstatat(directory, path, &status, 0) == 0) {
        file = real_openat64(directory, path, flags & ~O_TRUNC, mode);
    } else if (my.control->full) {
        my.control->refused_writes++;
        errno = ENOSPC;
    } else {
        file = real_openat64(directory, path, flags & ~O_TRUNC, mode);
        is_new = file >= 0;
    }
    int error = errno;
    if (file >= 0 && fstat(file, &status) == 0 && (may_write || S_ISDIR(status.st_mode)
                                                   || S_ISREG(status.st_mode))) {
        char full[PATH_MAX];
        snprintf(full, sizeof full, "%s/%s", my.root, name);
        struct tracked *entry = track(&status, full, name);
        note_file(file, entry);
        if (is_new) remember_names(track_directory(name), CREATE, status.st_ino, name, NULL, 0);
        if (flags & O_TRUNC && may_write && status.st_size > 0 && set_size(entry, file, 0) != 0) {
            error = errno;
            close(file);
            file = -1;
        }
    }
    if (flags & O_CREAT) pthread_mutex_unlock(&names_lock);
    errno = error;
    return file;
}

static int open_file(int directory, const char *path, int flags, mode_t mode) {
    char room[PATH_MAX];
    // Opened for its name alone, or without one: nothing to follow.
    const char *name = flags & O_PATH ? NULL : below(directory, path, room);
    if (!name) return real_openat64(directory, path, flags, mode);
    if ((flags & O_TMPFILE) == O_TMPFILE || flags & O_DSYNC) complain("open flags of", path);
    return open_below(directory, path, flags, mode, name);
}

static mode_t mode_of(int flags, va_list *arguments) {
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(*arguments, mode_t) : 0;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode_t mode = mode_of(flags, &arguments); \
        va_end(arguments); \
        return open_file(AT_FDCWD, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int directory, const char *path, int flags, ...) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode_t mode = mode_of(flags, &arguments); \
        va_end(arguments); \
        return open_file(directory, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

int creat64(const char *path, mode_t mode) {
    return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat(const char *path, mode_t mode) { return creat64(path, mode); }

static int make_temporary(char *pattern, int suffix_bytes, int flags) {
    char room[PATH_MAX];
    if (!below(AT_FDCWD, pattern, room)) return real_mkostemps64(pattern, suffix_bytes, flags);
    pthread_mutex_lock(&names_lock);
    int file = real_mkostemps64(pattern, suffix_bytes, flags);
    const char *name = below(AT_FDCWD, pattern, room);
    struct stat status;
    if (file >= 0 && fstat(file, &status) == 0) {
        note_file(file, track(&status, pattern, name));
        remember_names(track_directory(name), CREATE, status.st_ino, name, NULL, 0);
    }
    pthread_mutex_unlock(&names_lock);
    return file;
}
int mkstemp64(char *pattern) { return make_temporary(pattern, 0, 0); }
int mkstemp(char *pattern) { return make_temporary(pattern, 0, 0); }
int mkostemp64(char *pattern, int flags) { return make_temporary(pattern, 0, flags); }
int mkostemp(char *pattern, int flags) { return make_temporary(pattern, 0, flags); }

FILE *fopen64(const char *path, const char *mode) {
    char room[PATH_MAX];
    if (strpbrk(mode, "wa+") && below(AT_FDCWD, path, room)) complain("fopen to write", path);
    return real_fopen64(path, mode);
}
FILE *fopen(const char *path, const char *mode) { return fopen64(path, mode); }

int close(int file) {
    if (file >= 0 && file < FILES_MAX) files[file] = NULL;
    return real_close(file);
}

static int copied(int from, int to) {
    if (to >= 0 && to < FILES_MAX) note_file(to, of_file(from));
    return to;
}
int dup(int file) { return copied(file, real_dup(file)); }
int dup2(int file, int to) { return copied(file, real_dup2(file, to)); }
int dup3(int file, int to, int flags) { return copied(file, real_dup3(file, to, flags)); }

int fcntl64(int file, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    int result = real_fcntl64(file, command, argument);
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copied(file, result) : result;
}
int fcntl(int file, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return fcntl64(file, command, argument);
}

// Names

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    char from_room[PATH_MAX], to_room[PATH_MAX];
    const char *old = below(from_at, from, from_room), *new = below(to_at, to, to_room);
    if (!old && !new) return real_renameat2(from_at, from, to_at, to, flags);
    struct stat status, replaced;
    pthread_mutex_lock(&names_lock);
    if (!old || !new || fstatat(from_at, from, &status, 0) != 0 || !S_ISREG(status.st_mode)
        || track_directory(old) != track_directory(new) || flags & ~RENAME_NOREPLACE)
        complain("a rename that is not followed:", from);
    else
        track(&status, from, old);
    bool replaces = fstatat(to_at, to, &replaced, 0) == 0;
    if (replaces) track(&replaced, to, new);
    int result = real_renameat2(from_at, from, to_at, to, flags);
    if (result == 0 && old && new)
        remember_names(
            track_directory(new), RENAME, status.st_ino, old, new, replaces ? replaced.st_ino : 0);
    pthread_mutex_unlock(&names_lock);
    return result;
}
int renameat(int from_at, const char *from, int to_at, const char *to) {
    return renameat2(from_at, from, to_at, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int directory, const char *path, int flags) {
    char room[PATH_MAX];
    const char *name = below(directory, path, room);
    if (!name || is_memory(name)) return real_unlinkat(directory, path, flags);
    struct stat status;
    pthread_mutex_lock(&names_lock);
    bool is_there = fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && S_ISREG(status.st_mode)) track(&status, path, name);
    int result = real_unlinkat(directory, path, flags);
    if (result == 0 && is_there && S_ISDIR(status.st_mode)) forget_directory(status.st_ino);
    if (result == 0 && is_there)
        remember_names(
            track_directory(name), flags & AT_REMOVEDIR ? RMDIR : UNLINK, status.st_ino, name, NULL,
            0);
    pthread_mutex_unlock(&names_lock);
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    struct stat status;
    bool is_directory = lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
    return unlinkat(AT_FDCWD, path, is_directory ? AT_REMOVEDIR : 0);
}

int mkdirat(int directory, const char *path, mode_t mode) {
    char room[PATH_MAX];
    const char *name = below(directory, path, room);
    // The root itself is taken to be there for good.
    if (!name || !*name) return real_mkdirat(directory, path, mode);
    struct stat status;
    pthread_mutex_lock(&names_lock);
    int result = real_mkdirat(directory, path, mode);
    if (result == 0 && fstatat(directory, path, &status, 0) == 0)
        remember_names(track_directory(name), MKDIR, status.st_ino, name, NULL, 0);
    pthread_mutex_unlock(&names_lock);
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    char room[PATH_MAX];
    if (below(to_at, to, room)) complain("a link", to);
    return real_linkat(from_at, from, to_at, to, flags);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int symlinkat(const char *from, int to_at, const char *to) {
    char room[PATH_MAX];
    if (below(to_at, to, room)) complain("a symbolic link", to);
    return real_symlinkat(from, to_at, to);
}
int symlink(const char *from, const char *to) { return symlinkat(from, AT_FDCWD, to); }

// What is not followed

void *mmap64(void *at, size_t length, int protection, int flags, int file, off_t offset) {
    struct tracked *entry = of_file(file);
    if (entry && protection & PROT_WRITE && (flags & MAP_TYPE) != MAP_PRIVATE)
        complain("memory shared by way of", entry->name);
    return real_mmap64(at, length, protection, flags, file, offset);
}
void *mmap(void *at, size_t length, int protection, int flags, int file, off_t offset) {
    return mmap64(at, length, protection, flags, file, offset);
}

static void not_followed(const char *what, int file) {
    struct tracked *entry = of_file(file);
    if (entry) complain(what, entry->name);
}
ssize_t sendfile64(int to, int from, off_t *offset, size_t count) {
    not_followed("sendfile", to);
    return real_sendfile64(to, from, offset, count);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t count) {
    return sendfile64(to, from, offset, count);
}
ssize_t copy_file_range(
    int from, off_t *from_at, int to, off_t *to_at, size_t count, unsigned flags) {
    not_followed("copy_file_range", to);
    return real_copy_file_range(from, from_at, to, to_at, count, flags);
}
ssize_t splice(int from, off_t *from_at, int to, off_t *to_at, size_t count, unsigned flags) {
    not_followed("splice", to);
    return real_splice(from, from_at, to, to_at, count, flags);
}

long syscall(long number, ...) {
    long words[6];
    va_list arguments;
    va_start(arguments, number);
    for (int index = 0; index < 6; index++) words[index] = va_arg(arguments, long);
    va_end(arguments);
    switch (number) {
    case SYS_write: case SYS_pwrite64: case SYS_writev: case SYS_pwritev: case SYS_pwritev2:
    case SYS_ftruncate: case SYS_fallocate: case SYS_fsync: case SYS_fdatasync:
        not_followed("a bare system call", (int)words[0]);
        break;
    case SYS_openat: case SYS_renameat2: case SYS_unlinkat: case SYS_copy_file_range:
    case SYS_io_uring_setup:
        if (my.is_on) complain("a bare system call", "");
        break;
    }
    return real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
