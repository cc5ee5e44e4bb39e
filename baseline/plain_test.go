package baseline

import (
	"math"

	"nestling/suite"
)

// plain computes a benchmark with plain loops in float64.
func plain(b suite.Benchmark, inputs [][]float32) []float32 {
	shape := b.Args[0].Shape
	switch b.Kind {
	case suite.KindMatmul:
		n := b.Result[1]
		return product(shape[0], n, shape[1], inputs[0], func(k, j int) float32 { return inputs[1][k*n+j] })
	case suite.KindLinear:
		y := product(shape[0], b.Result[1], shape[1], inputs[0], func(k, j int) float32 { return inputs[1][j*shape[1]+k] })
		for i := range y {
			y[i] += inputs[2][i%b.Result[1]]
		}
		return y
	case suite.KindConv2D:
		y := convolve(inputs[0], shape, inputs[1], b.Args[1].Shape)
		eachChannel(y, b.Result, func(c int, v float64) float64 { return v + float64(inputs[2][c]) })
		return y
	case suite.KindResNetBlock:
		y := normalise(convolve(inputs[0], shape, inputs[1], b.Args[1].Shape), shape, inputs[2:6])
		relu(y)
		y = normalise(convolve(y, shape, inputs[6], b.Args[6].Shape), shape, inputs[7:11])
		for i := range y {
			y[i] += inputs[0][i]
		}
		relu(y)
		return y
	}
	panic("no plain loops for " + b.Kind)
}

func product(m, n, k int, a []float32, b func(k, j int) float32) []float32 {
	c := make([]float32, m*n)
	for i := range m {
		for j := range n {
			sum := 0.0
			for l := range k {
				sum += float64(a[i*k+l]) * float64(b(l, j))
			}
			c[i*n+j] = float32(sum)
		}
	}
	return c
}

// convolve is a convolution in NCHW, padded to keep height and width.
func convolve(x []float32, shape []int, weight []float32, kernel []int) []float32 {
	n, c, h, w := shape[0], shape[1], shape[2], shape[3]
	f, k := kernel[0], kernel[2]
	at := func(i, ch, y, x_ int) float64 {
		if y < 0 || y >= h || x_ < 0 || x_ >= w {
			return 0
		}
		return float64(x[((i*c+ch)*h+y)*w+x_])
	}
	out := make([]float32, 0, n*f*h*w)
	for i := range n * f * h * w {
		image, filter, row, column := i/(f*h*w), i/(h*w)%f, i/w%h, i%w
		sum := 0.0
		for j := range c * k * k {
			ch, dy, dx := j/(k*k), j/k%k, j%k
			sum += at(image, ch, row+dy-k/2, column+dx-k/2) * float64(weight[filter*c*k*k+j])
		}
		out = append(out, float32(sum))
	}
	return out
}

// normalise is batch normalisation; weights are gamma, beta, mean, variance.
func normalise(x []float32, shape []int, weights [][]float32) []float32 {
	eachChannel(x, shape, func(c int, v float64) float64 {
		scale := float64(weights[0][c]) / math.Sqrt(float64(weights[3][c])+suite.Epsilon)
		return (v-float64(weights[2][c]))*scale + float64(weights[1][c])
	})
	return x
}

func eachChannel(x []float32, shape []int, f func(channel int, v float64) float64) {
	for i := range x {
		channel := i / (shape[2] * shape[3]) % shape[1]
		x[i] = float32(f(channel, float64(x[i])))
	}
}

func relu(x []float32) {
	for i := range x {
		x[i] = max(x[i], 0)
	}
}
