package nn

import (
	"fmt"
	"math"
	"strconv"

	"nestling/nn/vector"
)

// Adam is the optimizer of Kingma and Ba (2015), with PyTorch's defaults: β 0.9
// and 0.999, ε 1e-8.
type Adam struct {
	Rate       float64 // learning rate, may change between steps
	Decay      float64 // of matrices in a step, as a share of the rate (Loshchilov and Hutter 2019, arXiv:1711.05101)
	parameters []*Parameter
	mean       [][]float32 // first moments, per parameter
	square     [][]float32 // second moments
	steps      int
}

const (
	beta1   = 0.9
	beta2   = 0.999
	epsilon = 1e-8
)

// NewAdam returns an optimizer of the parameters.
func NewAdam(parameters []*Parameter, rate float64) *Adam {
	a := &Adam{Rate: rate, parameters: parameters}
	for _, p := range parameters {
		a.mean = append(a.mean, make([]float32, len(p.Data)))
		a.square = append(a.square, make([]float32, len(p.Data)))
	}
	return a
}

// Steps is how many there were.
func (a *Adam) Steps() int { return a.steps }

// ClipGradients scales all gradients so that their global norm is at most limit,
// and returns the norm before. A norm that is not finite leaves them alone.
func (a *Adam) ClipGradients(limit float64) (norm float64) {
	for _, p := range a.parameters {
		norm += vector.SumSquares(p.Grad)
	}
	norm = math.Sqrt(norm)
	if norm > limit && !math.IsInf(norm, 0) {
		for _, p := range a.parameters {
			vector.Scale(float32(limit/norm), p.Grad)
		}
	}
	return norm
}

// Step updates the parameters and clears their gradients.
func (a *Adam) Step() {
	a.steps++
	s := vector.AdamStep{
		Rate:  float32(a.Rate / (1 - math.Pow(beta1, float64(a.steps)))),
		Beta1: beta1, Beta2: beta2, Epsilon: epsilon,
		InverseUnbias2: float32(1 / math.Sqrt(1-math.Pow(beta2, float64(a.steps)))),
	}
	for i, p := range a.parameters {
		if a.Decay > 0 && isMatrix(p) {
			vector.Scale(float32(1-a.Rate*a.Decay), p.Data)
		}
		vector.Adam(p.Data, p.Grad, a.mean[i], a.square[i], s)
	}
}

// isMatrix tells weights from biases, scales and the like, which are rows.
func isMatrix(p *Parameter) bool { return len(p.Shape) > 1 && p.Shape[0] > 1 }

// Save writes the moments and the number of steps as a safetensors file.
func (a *Adam) Save(path string) error {
	return WriteSafetensors(path, a.state(), map[string]string{"steps": strconv.Itoa(a.steps)})
}

// Load restores what Save wrote for parameters of the same names and shapes. On
// an error nothing has changed.
func (a *Adam) Load(path string) error {
	file, err := ReadSafetensors(path)
	if err != nil {
		return err
	}
	steps, err := strconv.Atoi(file.Metadata["steps"])
	if err != nil || steps < 0 {
		return fmt.Errorf("%s: not an optimizer's state: its metadata has no number of steps", path)
	}
	if err := file.CopyTo(a.state()); err != nil {
		return err
	}
	a.steps = steps
	return nil
}

func (a *Adam) state() []Array {
	var out []Array
	for i, p := range a.parameters {
		out = append(out, Array{"mean." + p.Name, p.Shape, a.mean[i]}, Array{"square." + p.Name, p.Shape, a.square[i]})
	}
	return out
}
