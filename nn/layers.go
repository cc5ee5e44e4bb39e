package nn

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
)

// Uniform fills a parameter with numbers from [-limit, limit).
func Uniform(p *Parameter, limit float64, rng *rand.Rand) {
	for i := range p.Data {
		p.Data[i] = float32((2*rng.Float64() - 1) * limit)
	}
}

// Xavier fills a weight [out, in] uniformly so that the variance of signals is
// kept in both directions (Glorot and Bengio 2010).
func Xavier(p *Parameter, rng *rand.Rand) {
	Uniform(p, math.Sqrt(6/float64(p.Rows()+p.Columns())), rng)
}

// Orthogonal fills a weight [out, in] with gain times a random matrix whose rows
// or columns, whichever are fewer, are orthonormal (Saxe et al. 2014).
func Orthogonal(p *Parameter, gain float64, rng *rand.Rand) {
	rows, columns := p.Rows(), p.Columns()
	basis := make([][]float64, min(rows, columns))
	for i := range basis {
		basis[i] = make([]float64, max(rows, columns))
		for j := range basis[i] {
			basis[i][j] = rng.NormFloat64()
		}
		for _, b := range basis[:i] { // Gram and Schmidt
			floats.AddScaled(basis[i], -floats.Dot(basis[i], b), b)
		}
		floats.Scale(1/floats.Norm(basis[i], 2), basis[i])
	}
	for i := range rows {
		for j := range columns {
			a, b := i, j
			if rows > columns {
				a, b = j, i
			}
			p.Data[i*columns+j] = float32(gain * basis[a][b])
		}
	}
}

// Linear is a layer of weight [out, in] and bias [out].
type Linear struct{ Weight, Bias *Parameter }

// NewLinear returns a layer of zeros, its parameters named after its place.
func NewLinear(name string, in, out int) Linear {
	return Linear{NewParameter(name+".weight", out, in), NewParameter(name+".bias", out)}
}

// Forward computes x·weightᵀ + bias.
func (l Linear) Forward(t *Tape, x *Tensor) *Tensor {
	return t.Linear(x, l.Weight.Tensor, l.Bias.Tensor)
}

// Parameters lists weight and bias.
func (l Linear) Parameters() []*Parameter { return []*Parameter{l.Weight, l.Bias} }

// LSTM is a layer with the names and shapes of PyTorch's.
type LSTM struct{ Input, Hidden, InputBias, HiddenBias *Parameter }

// NewLSTM returns a layer of zeros.
func NewLSTM(name string, in, hidden int) LSTM {
	return LSTM{
		NewParameter(name+".weight_ih_l0", 4*hidden, in),
		NewParameter(name+".weight_hh_l0", 4*hidden, hidden),
		NewParameter(name+".bias_ih_l0", 4*hidden),
		NewParameter(name+".bias_hh_l0", 4*hidden),
	}
}

// Init draws all parameters as PyTorch does: uniform within 1/√hidden.
func (l LSTM) Init(rng *rand.Rand) {
	for _, p := range l.Parameters() {
		Uniform(p, 1/math.Sqrt(float64(l.Hidden.Columns())), rng)
	}
}

// Forward runs Tape.LSTM with the layer's weights.
func (l LSTM) Forward(t *Tape, x *Tensor, counts []int) *Tensor {
	return t.LSTM(x, counts, LSTMWeights{l.Input.Tensor, l.Hidden.Tensor, l.InputBias.Tensor, l.HiddenBias.Tensor})
}

// Parameters lists the weights and biases.
func (l LSTM) Parameters() []*Parameter {
	return []*Parameter{l.Input, l.Hidden, l.InputBias, l.HiddenBias}
}
