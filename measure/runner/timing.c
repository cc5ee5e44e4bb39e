#include "timing.h"

#include "probe.h"
#include "stream.h"

#include <time.h>

extern void omp_set_num_threads(int);
extern void omp_set_dynamic(int);

void nestlingSetThreads(int threads) {
  omp_set_dynamic(0);
  omp_set_num_threads(threads);
}

// CPU time of all threads of this process, in nanoseconds.
static int64_t cpuTime(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t nestlingCall(nestlingKernel run, void **args) {
  int64_t begin = nestlingNow();
  run(args);
  return nestlingNow() - begin;
}

static int64_t timeRuns(const nestlingPlan *plan, int64_t runs) {
  int64_t begin = nestlingNow();
  for (int64_t i = 0; i < runs; i++)
    plan->run(plan->args);
  return nestlingNow() - begin;
}

// Nanoseconds per run of a block that lasts long enough even where a run takes
// less time than it did at first.
static double timeBlock(const nestlingPlan *plan, int64_t runs) {
  int64_t elapsed = 0, done = 0;
  do {
    elapsed += timeRuns(plan, runs);
    done += runs;
  } while (elapsed < plan->minBlock);
  return (double)elapsed / (double)done;
}

static double timeColdRun(const nestlingPlan *plan) {
  for (size_t i = 0; i < plan->flushBytes; i += 64)
    ((volatile char *)plan->flush)[i]++;
  return (double)timeRuns(plan, 1);
}

// Fewer nanoseconds than these tell nothing about threads: those of the Go runtime
// may have had something to do.
static const int64_t threadWindow = 5000000;

// A careful plan, one that warms up more than once, goes on for so many nanoseconds, or a
// quarter of its budget: at first two threads may share a core, and the system takes a
// while to part them.
static const int64_t settlingTime = 100000000;

// Runs the kernel until the warm-up is done and a block of the returned number
// of runs lasts plan->minBlock. The probe has not run yet, so the CPU time seen
// here is the kernel's own: idle OpenMP threads spin, and would count for busy
// ones later.
static int64_t calibrate(const nestlingPlan *plan, int64_t deadline, double *busyThreads, double *perRun) {
  int64_t runs = 1, warm = 0;
  int64_t begin = nestlingNow(), cpu = cpuTime();
  int64_t settling = plan->budget / 4 < settlingTime ? plan->budget / 4 : settlingTime;
  for (;;) {
    int64_t elapsed = timeRuns(plan, runs);
    int64_t now = nestlingNow();
    warm += runs;
    *perRun = (double)elapsed / (double)runs;
    int longEnough = elapsed >= plan->minBlock;
    int counted = now - begin >= threadWindow;
    int settled = now - begin >= settling || plan->warmup < 2;
    if ((longEnough && warm >= plan->warmup && settled) || now >= deadline) {
      *busyThreads = counted ? (double)(cpuTime() - cpu) / (double)(now - begin) : 0;
      return runs;
    }
    if (longEnough)
      continue;
    // Aim a little beyond the target, and do not trust one short block.
    double wanted = 1.1 * (double)runs * (double)plan->minBlock / (double)(elapsed + 1) + 1;
    double most = 10.0 * (double)runs;
    runs = (int64_t)(wanted < most ? wanted : most);
  }
}

// Long enough for thousands of iterations, short beside a block.
static const int64_t probeTime = 300000;

// Runs the peak loop until it reaches plan->peak, or it is too late to wait.
static double settledProbe(const nestlingPlan *plan, int64_t until) {
  double reached;
  do
    reached = nestlingProbe(plan->threads, probeTime);
  while (reached < plan->peak && nestlingNow() < until);
  return reached;
}

nestlingTimes nestlingTime(const nestlingPlan *plan, double *sample, double *probe, double *stream) {
  nestlingTimes times = {0, 1, 0};
  int64_t begin = nestlingNow(), deadline = begin + plan->budget, patience = begin + plan->budget / 8;
  double perRun = 0;
  int64_t runs = calibrate(plan, deadline, &times.busyThreads, &perRun);
  times.runsPerBlock = plan->flush ? 1 : runs;
  // What is hopeless while it warms up need not be run again to know it.
  if (plan->slowerThan > 0 && perRun > 2 * plan->slowerThan && !plan->flush && !stream) {
    probe[0] = nestlingProbe(plan->threads, probeTime);
    sample[0] = perRun;
    times.blocks = 1;
    return times;
  }
  double before = settledProbe(plan, patience);
  do {
    if (stream)
      stream[times.blocks] = nestlingStream(plan->threads, plan->minBlock);
    double block = plan->flush ? timeColdRun(plan) : timeBlock(plan, runs);
    double after = nestlingProbe(plan->threads, probeTime);
    // A block that ends on a machine with less to give may have begun to suffer; another is
    // timed in its place.
    if (after < plan->peak && nestlingNow() < patience) {
      before = settledProbe(plan, patience);
      continue;
    }
    sample[times.blocks] = block;
    probe[times.blocks] = plan->peak > 0 ? (before + after) / 2 : before;
    times.blocks++;
    before = after;
  } while (times.blocks < plan->blocks && nestlingNow() < deadline &&
           !(plan->slowerThan > 0 && sample[0] > plan->slowerThan));
  return times;
}
