// The streaming loop: how many bytes per second a plain loop moves through memory
// at this moment, on the same threads and over as much memory as a kernel.
#ifndef NESTLING_STREAM_H
#define NESTLING_STREAM_H

#include <stddef.h>
#include <stdint.h>

// Makes buffers to stream over: so many bytes to read and to write, either of which
// may be 0. Returns 0 if there is no memory.
int nestlingStreamOpen(size_t readBytes, size_t writeBytes);
void nestlingStreamClose(void);

// Passes over the buffers on so many threads, for at least so many nanoseconds, and
// returns GB/s: bytes read and bytes written, each counted once.
double nestlingStream(int threads, int64_t nanoseconds);

#endif
