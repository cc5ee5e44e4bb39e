#include "stream.h"

#include "probe.h"

#include <stdlib.h>
#include <string.h>

// See probe.c for why these are declared.
extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads,
                          unsigned flags);
extern int omp_get_thread_num(void);

typedef float vector __attribute__((vector_size(64)));

enum { MAX_THREADS = 1024 };

static struct {
  vector *in, *out;
  size_t inVectors, outVectors;
  int threads;
  // One cache line per thread: what it summed, so that reading is no waste.
  vector sum[MAX_THREADS];
} stream;

static vector *buffer(size_t bytes, size_t *vectors) {
  *vectors = bytes / sizeof(vector);
  vector *b = aligned_alloc(sizeof(vector), *vectors * sizeof(vector) + sizeof(vector));
  if (b)
    memset(b, 1, *vectors * sizeof(vector)); // every page is touched
  return b;
}

int nestlingStreamOpen(size_t readBytes, size_t writeBytes) {
  stream.in = buffer(readBytes, &stream.inVectors);
  stream.out = buffer(writeBytes, &stream.outVectors);
  return stream.in && stream.out && stream.inVectors + stream.outVectors > 0;
}

void nestlingStreamClose(void) {
  free(stream.in);
  free(stream.out);
}

// What is both read and written is scaled; what is left is summed, or filled.
#define PASSES(TARGET)                                                         \
  TARGET static void scale(const vector *in, vector *out, size_t from,         \
                           size_t to) {                                        \
    for (size_t i = from; i < to; i++)                                         \
      out[i] = 1.5f * in[i];                                                   \
  }                                                                            \
  TARGET static void sum(const vector *in, size_t from, size_t to,             \
                         vector *result) {                                     \
    vector s[4] = {{0}};                                                       \
    size_t i = from;                                                           \
    for (; i + 4 <= to; i += 4)                                                \
      for (int k = 0; k < 4; k++)                                              \
        s[k] += in[i + k];                                                     \
    for (; i < to; i++)                                                        \
      s[0] += in[i];                                                           \
    *result = s[0] + s[1] + s[2] + s[3];                                       \
  }                                                                            \
  TARGET static void fill(vector *out, size_t from, size_t to) {               \
    for (size_t i = from; i < to; i++)                                         \
      out[i] = (vector){0} + 1.5f;                                             \
  }

PASSES(__attribute__((optimize("O3", "no-tree-loop-distribute-patterns"), target_clones("avx512f", "avx2", "default"))))

static size_t share(size_t n, int thread) { return n * (size_t)thread / (size_t)stream.threads; }

static void streamThread(void *data) {
  (void)data;
  int t = omp_get_thread_num();
  size_t both = stream.inVectors < stream.outVectors ? stream.inVectors : stream.outVectors;
  size_t more = stream.inVectors - both, made = stream.outVectors - both;
  scale(stream.in, stream.out, share(both, t), share(both, t + 1));
  if (more)
    sum(stream.in, both + share(more, t), both + share(more, t + 1), &stream.sum[t]);
  if (made)
    fill(stream.out, both + share(made, t), both + share(made, t + 1));
}

static void pass(void) {
  if (stream.threads == 1)
    streamThread(NULL);
  else
    GOMP_parallel(streamThread, NULL, (unsigned)stream.threads, 0);
}

double nestlingStream(int threads, int64_t nanoseconds) {
  stream.threads = threads > MAX_THREADS ? MAX_THREADS : threads;
  double bytes = (double)((stream.inVectors + stream.outVectors) * sizeof(vector));
  double moved = 0;
  pass(); // what the kernel left in the caches is none of this loop's
  int64_t begin = nestlingNow(), now;
  do {
    pass();
    moved += bytes;
    now = nestlingNow();
  } while (now - begin < nanoseconds);
  return moved / (double)(now - begin);
}
