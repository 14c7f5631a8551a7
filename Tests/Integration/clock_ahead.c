// Preloaded into a process, puts its wall clock ahead: CLOCK_AHEAD_SECONDS, or as many nanoseconds
// as the file CLOCK_AHEAD_FILE says at that moment, a signed number of eight bytes. What measures
// spans of time, timers above all, is left as it is; waits until a time of day end when the
// process's own clock says so, as of the moment in which they begin.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
// No machine has been up for so long, so that an absolute time beyond it is one of the wall clock.
#define DAY_OF_2001 1000000000LL

static const volatile int64_t *shared;
static int64_t fixed;

static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_timerfd)(int, int, const struct itimerspec *, struct itimerspec *);
static int (*real_cond)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_lock)(pthread_mutex_t *, const struct timespec *);
static int (*real_sem)(sem_t *, const struct timespec *);

__attribute__((constructor(101))) static void begin(void) {
    *(void **)&real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    *(void **)&real_timerfd = dlsym(RTLD_NEXT, "timerfd_settime");
    // Of two versions on some machines, the new one; `dlsym` alone finds the old one.
    *(void **)&real_cond = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real_cond) *(void **)&real_cond = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    *(void **)&real_lock = dlsym(RTLD_NEXT, "pthread_mutex_timedlock");
    *(void **)&real_sem = dlsym(RTLD_NEXT, "sem_timedwait");
    const char *seconds = getenv("CLOCK_AHEAD_SECONDS"), *name = getenv("CLOCK_AHEAD_FILE");
    if (seconds) fixed = atol(seconds) * SECOND;
    if (!name) return;
    int file = open(name, O_RDONLY | O_CLOEXEC);
    void *found = mmap(NULL, sizeof *shared, PROT_READ, MAP_SHARED, file, 0);
    if (found == MAP_FAILED) abort();
    shared = found;
    close(file);
}

static int64_t ahead(void) { return shared ? *shared : fixed; }

static struct timespec moved(struct timespec time, int64_t nanoseconds) {
    int64_t sum = time.tv_nsec + nanoseconds % SECOND;
    time.tv_sec += nanoseconds / SECOND + (sum >= SECOND) - (sum < 0);
    time.tv_nsec = sum + (sum < 0 ? SECOND : 0) - (sum >= SECOND ? SECOND : 0);
    return time;
}

// What the kernel's clock will say when ours says `time`.
static struct timespec real_time(const struct timespec *time) {
    return time->tv_sec > DAY_OF_2001 ? moved(*time, -ahead()) : *time;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!real_gettime) begin();
    int result = real_gettime(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        *now = moved(*now, ahead());
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec time;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0) return -1;
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

int timerfd_settime(
    int file, int flags, const struct itimerspec *new, struct itimerspec *old) {
    struct itimerspec timer = *new;
    if (flags & TFD_TIMER_ABSTIME) timer.it_value = real_time(&new->it_value);
    return real_timerfd(file, flags, &timer, old);
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict lock,
    const struct timespec *restrict until) {
    struct timespec time = real_time(until);
    return real_cond(condition, lock, &time);
}

int pthread_mutex_timedlock(
    pthread_mutex_t *restrict lock, const struct timespec *restrict until) {
    struct timespec time = real_time(until);
    return real_lock(lock, &time);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    struct timespec time = real_time(until);
    return real_sem(semaphore, &time);
}
