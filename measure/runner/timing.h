// The timing loop. It is C so that no time is spent crossing from Go.
#ifndef NESTLING_TIMING_H
#define NESTLING_TIMING_H

#include <stddef.h>
#include <stdint.h>

typedef void (*nestlingKernel)(void **);

typedef struct {
  nestlingKernel run;
  void **args;
  int threads;
  int warmup;          // untimed runs
  int blocks;          // samples wanted
  int64_t minBlock;    // nanoseconds
  int64_t budget;      // nanoseconds
  double slowerThan;   // nanoseconds a run; 0: no early end
  double peak;         // GFLOP/s that the peak loop is to reach, waited for; 0: any
  char *flush;         // memory to walk over before each run, or NULL
  size_t flushBytes;
} nestlingPlan;

typedef struct {
  int blocks;          // samples taken
  int64_t runsPerBlock;
  double busyThreads;  // CPU time over wall time, kernel alone; 0: too short to tell
} nestlingTimes;

// Calls a kernel once and returns its time in nanoseconds.
int64_t nestlingCall(nestlingKernel run, void **args);

// Times plan.run: sample[i] is nanoseconds per run of block i, probe[i] the
// peak loop's GFLOP/s right before it, or the mean of before and after where there
// is a peak to reach, and stream[i], unless stream is NULL, the streaming loop's
// GB/s, whose buffers must be open.
nestlingTimes nestlingTime(const nestlingPlan *plan, double *sample, double *probe, double *stream);

// Sets how many threads parallel regions use.
void nestlingSetThreads(int threads);

#endif
