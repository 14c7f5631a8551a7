// What ThreadSanitizer must be told about Swift, linked into the tests by
// `scripts/test --sanitize thread`.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// Of ThreadSanitizer.
extern void __tsan_acquire(void *address);
extern void __tsan_release(void *address);
extern void __real___tsan_external_write(void *address, void *caller, void *tag);

// Locks
//
// `Mutex` (of Synchronization, on Linux) takes and leaves a lock that nobody else wants by an
// atomic exchange, which is compiled into the caller and instrumented there. All else is done in
// Swift's own library, which isn't: to ThreadSanitizer a lock that somebody waited for orders
// nothing, and whatever it guards is a race. That library is entered by these doors, which say what
// it does.

// Swift's calling convention: the lock, `self`, is in a register of its own.
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

// Looked up each time: to keep it would need a lock.
static void *swifts_own(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found) return found;
    fprintf(stderr, "Swift's library has no %s any more\n", name);
    abort();
}

SWIFT void lock(uint32_t thread, SELF self) __asm__(LOCK);
SWIFT void lock(uint32_t thread, SELF self) {
    ((SWIFT void (*)(uint32_t, SELF))swifts_own(LOCK))(thread, self);
    __tsan_acquire(self);
}

SWIFT bool try_lock(SELF self) __asm__(TRY_LOCK);
SWIFT bool try_lock(SELF self) {
    bool is_locked = ((SWIFT bool (*)(SELF))swifts_own(TRY_LOCK))(self);
    if (is_locked) __tsan_acquire(self);
    return is_locked;
}

SWIFT void unlock(SELF self) __asm__(UNLOCK);
SWIFT void unlock(SELF self) {
    __tsan_release(self);
    ((SWIFT void (*)(SELF))swifts_own(UNLOCK))(self);
}

// Continuations
//
// Who resumes a continuation releases its task, and who runs a task acquires it. A task that finds
// itself resumed before it suspended goes on at once, however, and Swift's library doesn't say so:
// what was done before `resume` and what comes after `await` is a race then. It goes on where its
// frame says, so what the frame says is first to acquire the task.

#define ASYNC __attribute__((swiftasynccall))
#define FRAME __attribute__((swift_async_context)) struct frame *

struct frame;
typedef ASYNC void (*resumption)(FRAME);

// `ContinuationAsyncContext`, the beginning of `AsyncTask` (swift/ABI/Task.h).
struct frame {
    void *parent;
    resumption resume;
    uintptr_t flags;
};
struct task {
    void *job[7];
    resumption resume;
};

extern SWIFT struct task *swift_task_getCurrent(void);

static ASYNC void acquire_and_resume(FRAME frame) {
    struct task *task = swift_task_getCurrent();
    __tsan_acquire(task);
    frame->resume = task->resume;
    return frame->resume(frame);
}

#define AWAIT "swift_continuation_await"
#define HAS_EXECUTOR 2

// A task that does suspend goes on where the task itself says, which was set before.
ASYNC void await(struct frame *frame) __asm__(AWAIT);
ASYNC void await(struct frame *frame) {
    if (frame->resume != swift_task_getCurrent()->resume || frame->flags & HAS_EXECUTOR) {
        fputs("Swift's continuations are not what they were\n", stderr);
        abort();
    }
    frame->resume = acquire_and_resume;
    return ((ASYNC void (*)(struct frame *))swifts_own(AWAIT))(frame);
}

// Values without bytes
//
// The compiler announces each `inout` access to a variable. Where the variable's type is generic
// and turns out to have no bytes (`SystemRandomNumberGenerator`), there is no address, and what it
// announces is whatever was in the register: ThreadSanitizer looks it up and crashes
// (github.com/swiftlang/swift/issues/66099). Memory is where the stacks, the heap or the program
// are.

static bool is_memory(const void *address) {
    static const char *heap;
    static const char program;
    const char *known = __atomic_load_n(&heap, __ATOMIC_RELAXED);
    if (!known) {
        known = malloc(1);
        __atomic_store_n(&heap, known, __ATOMIC_RELAXED);
    }
    const char stack = 0;
    uintptr_t region = (uintptr_t)address >> 40;
    return region == (uintptr_t)&stack >> 40 || region == (uintptr_t)known >> 40 ||
           region == (uintptr_t)&program >> 40;
}

void __wrap___tsan_external_write(void *address, void *caller, void *tag) {
    if (!is_memory(address)) return;
    // As if it were called from where this was: that is the line which a report names.
    __attribute__((musttail)) return __real___tsan_external_write(address, caller, tag);
}
