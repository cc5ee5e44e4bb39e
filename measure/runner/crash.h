// Last words of a process that is about to die of a signal.
#ifndef NESTLING_CRASH_H
#define NESTLING_CRASH_H

#include <stddef.h>

// Makes crashes kill this process by their own signal, after a line on standard
// error that says which watched memory the address belongs to. Without this
// Go's handlers turn every crash into exit status 2.
void nestlingCrashPlainly(void);

// Names memory: [begin, end) between guard pages that reach from low to high.
void nestlingWatch(const char *name, void *low, void *begin, void *end, void *high);

#endif
