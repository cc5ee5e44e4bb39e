// The kernels of vector.c; vector.go says what each does.
#pragma once

void nn_exp(long n, const float *x, float *y);
void nn_tanh(long n, const float *x, float *y);
void nn_tanh_backward(long n, const float *y, const float *dy, float *dx);
void nn_sigmoid(long n, const float *x, float *y);
void nn_sigmoid_backward(long n, const float *y, const float *dy, float *dx);
void nn_relu(long n, const float *x, float *y);
void nn_relu_backward(long n, const float *y, const float *dy, float *dx);
void nn_elu(long n, const float *x, float *y);
void nn_elu_backward(long n, const float *y, const float *dy, float *dx);
void nn_gelu(long n, const float *x, float *y);
void nn_gelu_backward(long n, const float *x, const float *dy, float *dx);
void nn_add(long n, const float *a, const float *b, float *y);
void nn_mul(long n, const float *a, const float *b, float *y);
void nn_mul_add(long n, const float *a, const float *b, float *y);
void nn_axpy(long n, float alpha, const float *x, float *y);
void nn_scale(long n, float factor, float *x);
void nn_add_rows(long rows, long n, const float *b, float *y);
void nn_sum_rows(long rows, long n, const float *x, float *y);
double nn_sum_squares(long n, const float *x);
void nn_adam(long n, float *p, float *g, float *m, float *v, float rate, float beta1, float beta2, float epsilon, float unbias2);
void nn_lstm(long rows, long prev, long h, float *gates, const float *old, float *cell, float *squashed, float *hidden);
void nn_lstm_backward(long rows, long prev, long h, const float *gates, const float *old, const float *squashed, const float *dhidden, float *dcell, float *dgates);
void nn_layer_norm(long rows, long n, float epsilon, const float *x, const float *gain, const float *bias, float *norm, float *inverse, float *y);
void nn_layer_norm_backward(long rows, long n, const float *norm, const float *inverse, const float *gain, const float *dy, float *scratch, float *dx, float *dgain, float *dbias);
void nn_softmax(long rows, long n, float scale, const float *x, const unsigned char *mask, float *y);
void nn_softmax_backward(long rows, long n, float scale, const float *y, const float *dy, float *dx);
void nn_depthwise(long planes, long channels, long h, long w, long k, const float *x, const float *filter, const float *bias, float *y);
void nn_depthwise_backward(long planes, long channels, long h, long w, long k, const float *x, const float *filter, const float *dy, float *dx, float *dfilter, float *dbias);
