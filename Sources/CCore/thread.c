#define _GNU_SOURCE
#include "CCore.h"

#include <pthread.h>
#include <string.h>

void dst_name_thread(const char *name) {
    char shortened[16] = {0};
    strncpy(shortened, name, sizeof shortened - 1);
#if defined(__APPLE__)
    pthread_setname_np(shortened);
#else
    pthread_setname_np(pthread_self(), shortened);
#endif
}

static _Thread_local void *simulation;

void *dst_simulation(void) { return simulation; }

void dst_set_simulation(void *other) { simulation = other; }
