// Package reference computes what a program's results have to be, by means
// that share nothing with the compiled code: an interpreter in float64 for
// small programs, OpenBLAS verified against float64 for large ones. Beside each
// result element it computes a scale, Σ|terms| carried through the program, by
// which errors are weighed.
package reference

import (
	"fmt"
	"math"
)

// DefaultTolerance is the largest error, as a share of the scale, that passes.
const DefaultTolerance = 1e-4

// Reference is what the results of a program have to be.
type Reference struct {
	Results []Result // in the order of program.Program.Results
}

// Result is one result of a program, row-major.
type Result struct {
	Shape  []int
	Values []float32
	Scales []float32 // Σ|terms| of each element
}

// Check compares outputs, one per result of the program and row-major, with
// the reference. It returns the largest |got-want|/scale, and an error that
// names the worst element if that passes the tolerance. An element that is not
// finite where the reference is, or finite where it is not, has an infinite
// error.
func (r *Reference) Check(outputs [][]float32, tolerance float64) (float64, error) {
	if len(outputs) != len(r.Results) {
		return math.Inf(1), fmt.Errorf("got %d outputs, the program has %d", len(outputs), len(r.Results))
	}
	largest := 0.0
	var failure error
	for i, result := range r.Results {
		if len(outputs[i]) != len(result.Values) {
			return math.Inf(1), fmt.Errorf("output %d: got %d elements, want %d (shape %v)", i, len(outputs[i]), len(result.Values), result.Shape)
		}
		at, e := result.worst(outputs[i])
		if e <= largest {
			continue
		}
		largest = e
		if e > tolerance {
			failure = fmt.Errorf("output %d%v: got %v, want %v; the error is %.3g of the scale %v, allowed is %.3g",
				i, multiIndex(at, result.Shape), outputs[i][at], result.Values[at], e, result.Scales[at], tolerance)
		}
	}
	return largest, failure
}

// Distance is the largest |a-b|/scale over the elements of two versions of a
// result; infinite where one is finite and the other is not.
func (r *Reference) Distance(result int, a, b []float32) float64 {
	largest := 0.0
	for i, scale := range r.Results[result].Scales {
		largest = max(largest, weighed(float64(a[i]), float64(b[i]), float64(scale)))
	}
	return largest
}

func (r *Result) worst(got []float32) (at int, largest float64) {
	for i, g := range got {
		if e := weighed(float64(g), float64(r.Values[i]), float64(r.Scales[i])); e > largest {
			at, largest = i, e
		}
	}
	return at, largest
}

// weighed is |got-want|/scale, 0 for equal values whatever the scale.
func weighed(got, want, scale float64) float64 {
	switch {
	case got == want || math.IsNaN(got) && math.IsNaN(want):
		return 0
	case math.IsNaN(got) || math.IsInf(got, 0) || math.IsNaN(want) || math.IsInf(want, 0):
		return math.Inf(1)
	case math.IsNaN(scale) || math.IsInf(scale, 0):
		// The scale overflowed while the value did not: all that is left to
		// weigh by is the value.
		scale = math.Abs(want)
	}
	// Results in the denormal range are as good as zero: code may flush them.
	return math.Abs(got-want) / math.Max(scale, smallestNormal)
}

const smallestNormal = 0x1p-126

func multiIndex(at int, shape []int) []int {
	index := make([]int, len(shape))
	for d := len(shape) - 1; d >= 0; d-- {
		index[d] = at % shape[d]
		at /= shape[d]
	}
	return index
}
