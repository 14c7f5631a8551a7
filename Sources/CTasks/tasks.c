#include "CTasks.h"

#include <stdio.h>
#include <stdlib.h>

#include "CCore.h"

// Of Swift's runtime (stdlib/public/Concurrency): the hooks are there to be replaced, and
// `swift_job_run` is what every executor calls.
#define SWIFT_CC __attribute__((swiftcall))

typedef SWIFT_CC void (*enqueue_original)(void *job);
typedef SWIFT_CC void (*enqueue_hook)(void *job, enqueue_original original);
typedef SWIFT_CC void (*delay_original)(unsigned long long delay, void *job);
typedef SWIFT_CC void (*delay_hook)(unsigned long long delay, void *job, delay_original original);
typedef SWIFT_CC void (*deadline_original)(
    long long seconds, long long nanoseconds, long long tolerance_seconds,
    long long tolerance_nanoseconds, int clock, void *job);
typedef SWIFT_CC void (*deadline_hook)(
    long long seconds, long long nanoseconds, long long tolerance_seconds,
    long long tolerance_nanoseconds, int clock, void *job, deadline_original original);

extern enqueue_hook swift_task_enqueueGlobal_hook;
extern delay_hook swift_task_enqueueGlobalWithDelay_hook;
extern deadline_hook swift_task_enqueueGlobalWithDeadline_hook;
extern SWIFT_CC void swift_job_run(void *job, void *executor, void *implementation);

static dst_task_sink taken;

static void refuse_real_time(void) {
    if (!dst_simulation()) return;
    fputs("a simulated task sleeps by the machine's clock: sleep by the node's Clocks\n", stderr);
    abort();
}

static SWIFT_CC void now(void *job, enqueue_original original) {
    void *simulation = dst_simulation();
    if (simulation)
        taken(simulation, job);
    else
        original(job);
}

static SWIFT_CC void after(unsigned long long delay, void *job, delay_original original) {
    refuse_real_time();
    original(delay, job);
}

static SWIFT_CC void at(
    long long seconds, long long nanoseconds, long long tolerance_seconds,
    long long tolerance_nanoseconds, int clock, void *job, deadline_original original) {
    refuse_real_time();
    original(seconds, nanoseconds, tolerance_seconds, tolerance_nanoseconds, clock, job);
}

void dst_tasks_take(dst_task_sink sink) {
    taken = sink;
    swift_task_enqueueGlobal_hook = now;
    swift_task_enqueueGlobalWithDelay_hook = after;
    swift_task_enqueueGlobalWithDeadline_hook = at;
}

void dst_task_run(void *job) { swift_job_run(job, NULL, NULL); }
