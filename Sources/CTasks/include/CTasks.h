// Takes jobs of Swift's global executor, for a simulation that runs them in one thread.
#pragma once

// Called for each job that becomes ready on a thread with a `dst_simulation` (CCore).
typedef void (*dst_task_sink)(void *simulation, void *job);

// From now on and for good. Jobs that other threads make ready go where they always went. A task on
// such a thread that sleeps by the runtime's own timers ends the process with a message.
void dst_tasks_take(dst_task_sink sink);

// Runs one job until it ends or waits.
void dst_task_run(void *job);
