// The peak loop: how many single-precision operations per second this machine
// does at this moment, at best, on so many threads. It is made of the widest of AVX-512,
// AVX2 with FMA, and SSE2 that the processor has.
#ifndef NESTLING_PROBE_H
#define NESTLING_PROBE_H

#include <stdint.h>

// Runs the loop on so many threads for about so many nanoseconds and returns
// the sum of the threads' GFLOP/s.
double nestlingProbe(int threads, int64_t nanoseconds);

// CLOCK_MONOTONIC, in nanoseconds.
int64_t nestlingNow(void);

#endif
