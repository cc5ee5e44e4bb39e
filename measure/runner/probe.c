#include "probe.h"

#include <stddef.h>
#include <time.h>

// libomp's entry for code compiled by GCC. Declared rather than reached through
// `#pragma omp`, for which GCC would link its own OpenMP runtime beside libomp,
// and the two fight over the cores.
extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads,
                          unsigned flags);
extern int omp_get_thread_num(void);

int64_t nestlingNow(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// Random operands: zeros and constants draw less power, and the machine would
// clock higher than it can for real data.
enum { OPERAND_FLOATS = 32 * 16 };

static void fillOperands(float *operands, uint64_t state) {
  for (int i = 0; i < OPERAND_FLOATS; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    operands[i] = (float)(state >> 40) / (float)(1 << 24) - 0.5f;
  }
}

// Each loop keeps enough independent accumulators in registers to hide the
// latency of its instructions, starts them from the operands anew in every call
// so that they stay finite, and returns the operations of one iteration.

static double loop512(const float *operands, long iterations) {
  __asm__ volatile(
      ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,28,29,30,31\n"
      "vmovaps \\i*64(%1), %%zmm\\i\n"
      ".endr\n"
      "1:\n"
      ".irp i,0,1,2,3,4,5,6,7,8,9,10,11\n"
      "vfmadd231ps %%zmm30, %%zmm31, %%zmm\\i\n"
      ".endr\n"
      ".irp i,12,13,14,15,16,17,18,19,20,21,22,23\n"
      "vfmadd231ps %%zmm28, %%zmm29, %%zmm\\i\n"
      ".endr\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(iterations)
      : "r"(operands)
      : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
        "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
        "xmm15");
  return 24 * 16 * 2;
}

static double loop256(const float *operands, long iterations) {
  __asm__ volatile(
      ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
      "vmovaps \\i*32(%1), %%ymm\\i\n"
      ".endr\n"
      "1:\n"
      ".irp i,0,1,2,3,4,5\n"
      "vfmadd231ps %%ymm12, %%ymm13, %%ymm\\i\n"
      ".endr\n"
      ".irp i,6,7,8,9,10,11\n"
      "vfmadd231ps %%ymm14, %%ymm15, %%ymm\\i\n"
      ".endr\n"
      "dec %0\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : "+r"(iterations)
      : "r"(operands)
      : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
        "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
        "xmm15");
  return 12 * 8 * 2;
}

// Without FMA: products and sums side by side. Products of a factor just below
// one stay finite and out of the denormals for as long as a call takes.
static double loop128(const float *operands, long iterations) {
  static const float factor[4] __attribute__((aligned(16))) = {
      0.9999999f, 0.9999998f, 0.9999997f, 0.9999996f};
  __asm__ volatile(
      ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14\n"
      "movaps \\i*16(%1), %%xmm\\i\n"
      ".endr\n"
      "movaps (%2), %%xmm15\n"
      "1:\n"
      ".irp i,0,1,2,3,4,5,6\n"
      "mulps %%xmm15, %%xmm\\i\n"
      ".endr\n"
      ".irp i,7,8,9,10,11,12,13\n"
      "addps %%xmm14, %%xmm\\i\n"
      ".endr\n"
      "dec %0\n"
      "jnz 1b\n"
      : "+r"(iterations)
      : "r"(operands), "r"(factor)
      : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
        "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
        "xmm15");
  return 14 * 4;
}

typedef double (*peakLoop)(const float *, long);

static peakLoop chooseLoop(void) {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f"))
    return loop512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return loop256;
  return loop128;
}

enum { MAX_THREADS = 1024, ITERATIONS = 500 };

typedef struct {
  peakLoop loop;
  int64_t nanoseconds;
  // One cache line per thread.
  struct {
    double gflops;
    char padding[56];
  } rate[MAX_THREADS];
} probeWork;

static void probeThread(void *data) {
  probeWork *work = data;
  int thread = omp_get_thread_num();
  float operands[OPERAND_FLOATS] __attribute__((aligned(64)));
  fillOperands(operands, 0x9e3779b97f4a7c15u + (uint64_t)thread);
  double operations = 0;
  int64_t begin = nestlingNow(), now;
  do {
    operations += ITERATIONS * work->loop(operands, ITERATIONS);
    now = nestlingNow();
  } while (now - begin < work->nanoseconds);
  work->rate[thread].gflops = operations / (double)(now - begin);
}

double nestlingProbe(int threads, int64_t nanoseconds) {
  static probeWork work;
  work.loop = chooseLoop();
  work.nanoseconds = nanoseconds;
  if (threads > MAX_THREADS)
    threads = MAX_THREADS;
  for (int i = 0; i < threads; i++)
    work.rate[i].gflops = 0;
  if (threads == 1)
    probeThread(&work);
  else
    GOMP_parallel(probeThread, &work, (unsigned)threads, 0);
  double sum = 0;
  for (int i = 0; i < threads; i++)
    sum += work.rate[i].gflops;
  return sum;
}
