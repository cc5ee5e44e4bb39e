// Element-wise float32 kernels. They are plain loops: the C compiler vectorises
// each for several instruction sets and the loader picks one (target_clones).
#include "vector.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-trapping-math") // selections vectorise only so
#endif

#include <math.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define KERNEL __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define KERNEL
#endif
#define INLINE static inline __attribute__((always_inline))

// exp after Cephes: 2^n · e^r with |r| ≤ ln2/2, e^r a polynomial; relative error
// below 2e-7. Arguments are clamped so that the result stays finite and normal.
INLINE float exp1(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  float shifted = x * 1.44269504f + 12582912.0f; // 1.5·2^23: rounds to an integer
  float n = shifted - 12582912.0f;
  float r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  int bits;
  memcpy(&bits, &shifted, 4);
  bits = (bits << 23) + 0x3f800000; // the low bits of shifted are n
  float scale;
  memcpy(&scale, &bits, 4);
  return p * scale;
}

INLINE float sigmoid1(float x) { return 1.0f / (1.0f + exp1(-x)); }

INLINE float tanh1(float x) {
  float a = fabsf(x);
  float e = exp1(-2.0f * a);
  float large = copysignf((1.0f - e) / (1.0f + e), x);
  float z = x * x; // Cephes' polynomial where the quotient would cancel
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  float small = p * z * x + x;
  return a < 0.625f ? small : large;
}

// erf after Abramowitz and Stegun 7.1.26, absolute error below 2e-7. gauss is
// e^(-x²), which the caller needs too.
INLINE float erf1(float x, float gauss) {
  float a = fabsf(x);
  float t = 1.0f / (1.0f + 0.3275911f * a);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  return copysignf(1.0f - p * t * gauss, x);
}

// √x for x ≥ 0, by Newton's iteration for 1/√x, relative error below 3e-7: GCC
// does not vectorise sqrtf, which may set errno.
INLINE float sqrt1(float x) {
  int bits;
  memcpy(&bits, &x, 4);
  bits = 0x5f3759df - (bits >> 1);
  float y;
  memcpy(&y, &bits, 4);
  y *= 1.5f - 0.5f * (x * y) * y;
  y *= 1.5f - 0.5f * (x * y) * y;
  y *= 1.5f - 0.5f * (x * y) * y;
  return x * y;
}

KERNEL void nn_exp(long n, const float *restrict x, float *restrict y) {
  for (long i = 0; i < n; i++) y[i] = exp1(x[i]);
}
KERNEL void nn_tanh(long n, const float *restrict x, float *restrict y) {
  for (long i = 0; i < n; i++) y[i] = tanh1(x[i]);
}
KERNEL void nn_tanh_backward(long n, const float *restrict y, const float *restrict dy, float *restrict dx) {
  for (long i = 0; i < n; i++) dx[i] += dy[i] * (1.0f - y[i] * y[i]);
}
KERNEL void nn_sigmoid(long n, const float *restrict x, float *restrict y) {
  for (long i = 0; i < n; i++) y[i] = sigmoid1(x[i]);
}
KERNEL void nn_sigmoid_backward(long n, const float *restrict y, const float *restrict dy, float *restrict dx) {
  for (long i = 0; i < n; i++) dx[i] += dy[i] * y[i] * (1.0f - y[i]);
}
KERNEL void nn_relu(long n, const float *restrict x, float *restrict y) {
  for (long i = 0; i < n; i++) y[i] = x[i] < 0.0f ? 0.0f : x[i]; // NaN passes
}
KERNEL void nn_relu_backward(long n, const float *restrict y, const float *restrict dy, float *restrict dx) {
  for (long i = 0; i < n; i++) dx[i] += y[i] > 0.0f ? dy[i] : 0.0f;
}
KERNEL void nn_elu(long n, const float *restrict x, float *restrict y) {
  for (long i = 0; i < n; i++) {
    float e = exp1(x[i]) - 1.0f;
    y[i] = x[i] > 0.0f ? x[i] : e;
  }
}
KERNEL void nn_elu_backward(long n, const float *restrict y, const float *restrict dy, float *restrict dx) {
  for (long i = 0; i < n; i++) dx[i] += dy[i] * (y[i] > 0.0f ? 1.0f : y[i] + 1.0f);
}
KERNEL void nn_gelu(long n, const float *restrict x, float *restrict y) {
  for (long i = 0; i < n; i++) {
    float u = x[i] * 0.70710678f;
    y[i] = 0.5f * x[i] * (1.0f + erf1(u, exp1(-u * u)));
  }
}
KERNEL void nn_gelu_backward(long n, const float *restrict x, const float *restrict dy, float *restrict dx) {
  for (long i = 0; i < n; i++) {
    float u = x[i] * 0.70710678f;
    float gauss = exp1(-u * u);
    dx[i] += dy[i] * (0.5f * (1.0f + erf1(u, gauss)) + x[i] * 0.39894228f * gauss);
  }
}
KERNEL void nn_add(long n, const float *restrict a, const float *restrict b, float *restrict y) {
  for (long i = 0; i < n; i++) y[i] = a[i] + b[i];
}
KERNEL void nn_mul(long n, const float *restrict a, const float *restrict b, float *restrict y) {
  for (long i = 0; i < n; i++) y[i] = a[i] * b[i];
}
KERNEL void nn_mul_add(long n, const float *restrict a, const float *restrict b, float *restrict y) {
  for (long i = 0; i < n; i++) y[i] += a[i] * b[i];
}
KERNEL void nn_axpy(long n, float alpha, const float *restrict x, float *restrict y) {
  for (long i = 0; i < n; i++) y[i] += alpha * x[i];
}
KERNEL void nn_scale(long n, float factor, float *restrict x) {
  for (long i = 0; i < n; i++) x[i] *= factor;
}
KERNEL void nn_add_rows(long rows, long n, const float *restrict b, float *restrict y) {
  for (long r = 0; r < rows; r++)
    for (long i = 0; i < n; i++) y[r * n + i] += b[i];
}
KERNEL void nn_sum_rows(long rows, long n, const float *restrict x, float *restrict y) {
  for (long r = 0; r < rows; r++)
    for (long i = 0; i < n; i++) y[i] += x[r * n + i];
}

// Sixteen accumulators, so that the sum vectorises and its order is fixed.
KERNEL double nn_sum_squares(long n, const float *restrict x) {
  double acc[16] = {0};
  long i = 0;
  for (; i + 16 <= n; i += 16)
    for (long j = 0; j < 16; j++) acc[j] += (double)x[i + j] * (double)x[i + j];
  for (; i < n; i++) acc[0] += (double)x[i] * (double)x[i];
  double s = 0;
  for (long j = 0; j < 16; j++) s += acc[j];
  return s;
}

KERNEL void nn_adam(long n, float *restrict p, float *restrict g, float *restrict m, float *restrict v,
                    float rate, float beta1, float beta2, float epsilon, float unbias2) {
  for (long i = 0; i < n; i++) {
    float d = g[i];
    g[i] = 0.0f;
    m[i] = beta1 * m[i] + (1.0f - beta1) * d;
    v[i] = beta2 * v[i] + (1.0f - beta2) * d * d;
    p[i] -= rate * m[i] / (sqrt1(v[i]) * unbias2 + epsilon);
  }
}

// One LSTM step. gates is [rows, 4·h] in PyTorch's order (input, forget, cell,
// output) and holds the pre-activations; it is overwritten by the activations.
// Rows from prev on are sequences that start here: their old cell is zero.
KERNEL void nn_lstm(long rows, long prev, long h, float *restrict gates, const float *restrict old,
                    float *restrict cell, float *restrict squashed, float *restrict hidden) {
  for (long r = 0; r < rows; r++) {
    float *restrict g = gates + r * 4 * h;
    float *restrict c = cell + r * h, *restrict t = squashed + r * h, *restrict y = hidden + r * h;
    const float *restrict o = old + r * h;
    for (long i = 0; i < 2 * h; i++) g[i] = sigmoid1(g[i]);
    for (long i = 2 * h; i < 3 * h; i++) g[i] = tanh1(g[i]);
    for (long i = 3 * h; i < 4 * h; i++) g[i] = sigmoid1(g[i]);
    for (long i = 0; i < h; i++) c[i] = g[i] * g[2 * h + i];
    if (r < prev)
      for (long i = 0; i < h; i++) c[i] += g[h + i] * o[i];
    for (long i = 0; i < h; i++) {
      t[i] = tanh1(c[i]);
      y[i] = g[3 * h + i] * t[i];
    }
  }
}

// The step's gradient: dgates of the pre-activations; dcell, the gradient of the
// new cell on entry, is that of the old cell on return.
KERNEL void nn_lstm_backward(long rows, long prev, long h, const float *restrict gates, const float *restrict old,
                             const float *restrict squashed, const float *restrict dhidden, float *restrict dcell,
                             float *restrict dgates) {
  for (long r = 0; r < rows; r++) {
    const float *restrict g = gates + r * 4 * h;
    const float *restrict o = old + r * h;
    const float *restrict t = squashed + r * h, *restrict dy = dhidden + r * h;
    float *restrict dc = dcell + r * h, *restrict dg = dgates + r * 4 * h;
    for (long i = 0; i < h; i++) {
      float in = g[i], forget = g[h + i], next = g[2 * h + i], out = g[3 * h + i];
      float c = dc[i] + dy[i] * out * (1.0f - t[i] * t[i]);
      dg[i] = c * next * in * (1.0f - in);
      dg[h + i] = c * forget * (1.0f - forget);
      dg[2 * h + i] = c * in * (1.0f - next * next);
      dg[3 * h + i] = dy[i] * t[i] * out * (1.0f - out);
      dc[i] = c * forget;
    }
    if (r < prev)
      for (long i = 0; i < h; i++) dg[h + i] *= o[i];
    else
      for (long i = 0; i < h; i++) dg[h + i] = 0.0f;
  }
}

INLINE float sum(long n, const float *restrict x) {
  float acc[16] = {0};
  long i = 0;
  for (; i + 16 <= n; i += 16)
    for (long j = 0; j < 16; j++) acc[j] += x[i + j];
  for (; i < n; i++) acc[0] += x[i];
  float s = 0;
  for (long j = 0; j < 16; j++) s += acc[j];
  return s;
}

INLINE float dot(long n, const float *restrict x, const float *restrict y) {
  float acc[16] = {0};
  long i = 0;
  for (; i + 16 <= n; i += 16)
    for (long j = 0; j < 16; j++) acc[j] += x[i + j] * y[i + j];
  for (; i < n; i++) acc[0] += x[i] * y[i];
  float s = 0;
  for (long j = 0; j < 16; j++) s += acc[j];
  return s;
}

// norm is (x - mean)/deviation, inverse is 1/deviation per row.
KERNEL void nn_layer_norm(long rows, long n, float epsilon, const float *restrict x, const float *restrict gain,
                          const float *restrict bias, float *restrict norm, float *restrict inverse, float *restrict y) {
  for (long r = 0; r < rows; r++) {
    const float *restrict xr = x + r * n;
    float *restrict z = norm + r * n, *restrict yr = y + r * n;
    float mean = sum(n, xr) / (float)n;
    for (long i = 0; i < n; i++) z[i] = xr[i] - mean;
    float k = 1.0f / sqrtf(dot(n, z, z) / (float)n + epsilon);
    inverse[r] = k;
    for (long i = 0; i < n; i++) {
      z[i] *= k;
      yr[i] = z[i] * gain[i] + bias[i];
    }
  }
}

// scratch has n elements.
KERNEL void nn_layer_norm_backward(long rows, long n, const float *restrict norm, const float *restrict inverse,
                                   const float *restrict gain, const float *restrict dy, float *restrict scratch,
                                   float *restrict dx, float *restrict dgain, float *restrict dbias) {
  for (long r = 0; r < rows; r++) {
    const float *restrict z = norm + r * n, *restrict d = dy + r * n;
    for (long i = 0; i < n; i++) {
      dgain[i] += d[i] * z[i];
      dbias[i] += d[i];
      scratch[i] = d[i] * gain[i];
    }
    float mean = sum(n, scratch) / (float)n, slope = dot(n, scratch, z) / (float)n;
    float *restrict out = dx + r * n;
    for (long i = 0; i < n; i++) out[i] += inverse[r] * (scratch[i] - mean - z[i] * slope);
  }
}

// y = softmax(scale·x) per row, over the elements whose mask is not 0 (a nil mask
// allows all); the others become 0, and so does a row that allows none.
KERNEL void nn_softmax(long rows, long n, float scale, const float *restrict x, const unsigned char *restrict mask,
                       float *restrict y) {
  for (long r = 0; r < rows; r++) {
    const float *restrict xr = x + r * n;
    const unsigned char *restrict m = mask ? mask + r * n : 0;
    float *restrict yr = y + r * n;
    float top = -INFINITY;
    for (long i = 0; i < n; i++)
      if (!m || m[i]) top = scale * xr[i] > top ? scale * xr[i] : top;
    for (long i = 0; i < n; i++) yr[i] = exp1(scale * xr[i] - top);
    if (m)
      for (long i = 0; i < n; i++) yr[i] = m[i] ? yr[i] : 0.0f;
    float total = sum(n, yr);
    float k = total > 0.0f ? 1.0f / total : 0.0f;
    for (long i = 0; i < n; i++) yr[i] *= k;
  }
}
KERNEL void nn_softmax_backward(long rows, long n, float scale, const float *restrict y, const float *restrict dy,
                                float *restrict dx) {
  for (long r = 0; r < rows; r++) {
    const float *restrict p = y + r * n, *restrict d = dy + r * n;
    float s = dot(n, p, d);
    for (long i = 0; i < n; i++) dx[r * n + i] += scale * p[i] * (d[i] - s);
  }
}

// Depthwise convolution, stride 1, of planes of h×w (channel p % channels) with
// k×k filters and k/2 zeros around. Both directions walk whole rows, so the
// inner loops vectorise.
INLINE void row_range(long w, long shift, long *from, long *to) {
  *from = shift < 0 ? -shift : 0;
  *to = shift > 0 ? w - shift : w;
}
KERNEL void nn_depthwise(long planes, long channels, long h, long w, long k, const float *restrict x,
                         const float *restrict filter, const float *restrict bias, float *restrict y) {
  for (long p = 0; p < planes; p++) {
    const float *restrict f = filter + (p % channels) * k * k;
    float *restrict out = y + p * h * w;
    for (long i = 0; i < h * w; i++) out[i] = bias[p % channels];
    for (long a = 0; a < k; a++)
      for (long b = 0; b < k; b++)
        for (long i = 0; i < h; i++) {
          long row = i + a - k / 2, shift = b - k / 2, from, to;
          if (row < 0 || row >= h) continue;
          row_range(w, shift, &from, &to);
          const float *restrict in = x + p * h * w + row * w;
          for (long j = from; j < to; j++) out[i * w + j] += f[a * k + b] * in[j + shift];
        }
  }
}
KERNEL void nn_depthwise_backward(long planes, long channels, long h, long w, long k, const float *restrict x,
                                  const float *restrict filter, const float *restrict dy, float *restrict dx,
                                  float *restrict dfilter, float *restrict dbias) {
  for (long p = 0; p < planes; p++) {
    long c = p % channels;
    const float *restrict d = dy + p * h * w;
    dbias[c] += sum(h * w, d);
    for (long a = 0; a < k; a++)
      for (long b = 0; b < k; b++)
        for (long i = 0; i < h; i++) {
          long row = i + a - k / 2, shift = b - k / 2, from, to;
          if (row < 0 || row >= h) continue;
          row_range(w, shift, &from, &to);
          if (from >= to) continue;
          const float *restrict in = x + p * h * w + row * w;
          dfilter[(c * k + a) * k + b] += dot(to - from, d + i * w + from, in + from + shift);
          if (!dx) continue;
          float *restrict out = dx + p * h * w + row * w;
          float weight = filter[(c * k + a) * k + b];
          for (long j = from; j < to; j++) out[j + shift] += weight * d[i * w + j];
        }
  }
}
