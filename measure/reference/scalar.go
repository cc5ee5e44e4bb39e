package reference

import (
	"fmt"
	"math"
	"slices"

	"nestling/program"
)

// pair is a scalar and its scale: the magnitude of everything that was summed
// up in it, and with that a bound for the error a correct program may make, in
// units of its relative precision. A condition is 1 or 0, and its scale tells
// how close it is to being the other: 1 (cannot be told) … 0 (certain).
type pair struct{ value, scale float64 }

// exact is a value that came from no sum. An infinity is exact and weighs
// nothing: it would hide all that it is compared with.
func exact(x float64) pair {
	if math.IsInf(x, 0) {
		return pair{x, 0}
	}
	return pair{x, math.Abs(x)}
}

// slack is how far apart, as a share of their scales, two values have to be
// for a correct program to be certain which one is larger.
const slack = 1e-3

// closeness of two compared values: 1 up to the slack, 0 from twice that on. It
// is continuous, so that scales computed with other rounding agree.
func closeness(a, b pair) float64 {
	gap := math.Abs(a.value - b.value)
	switch {
	case a.value == b.value:
		return 1
	case math.IsNaN(gap):
		return 0
	}
	return min(max(2-gap/(slack*(a.scale+b.scale)), 0), 1)
}

func add(a, b pair) pair { return pair{a.value + b.value, a.scale + b.scale} }
func sub(a, b pair) pair { return pair{a.value - b.value, a.scale + b.scale} }
func mul(a, b pair) pair { return pair{a.value * b.value, a.scale * b.scale} }

// div multiplies the relative scales, which bounds the sum of what either
// operand's error does to the quotient (within a factor of 2).
func div(a, b pair) pair {
	d := math.Abs(b.value)
	return pair{a.value / b.value, a.scale / d * (b.scale / d)}
}

// larger is arith.maximumf: NaN if either is. The loser's scale counts only as
// far as it might have won.
func larger(a, b pair) pair {
	if math.IsNaN(a.value) || math.IsNaN(b.value) {
		return pair{math.NaN(), 0}
	}
	if a.value < b.value {
		a, b = b, a
	}
	return pair{a.value, max(a.scale, closeness(a, b)*b.scale)}
}

func smaller(a, b pair) pair { return neg(larger(neg(a), neg(b))) }

// number variants ignore a NaN beside a number.
func largerNumber(a, b pair) pair {
	switch {
	case math.IsNaN(a.value):
		return b
	case math.IsNaN(b.value):
		return a
	}
	return larger(a, b)
}

func smallerNumber(a, b pair) pair { return neg(largerNumber(neg(a), neg(b))) }

func neg(a pair) pair { return pair{-a.value, a.scale} }

// through carries a scale through a function of one variable: its own value
// rounds, and the operand's error is multiplied by the slope.
func through(value, slope, scale float64) pair {
	return pair{value, math.Abs(value) + math.Abs(slope)*scale}
}

func exp(a pair) pair {
	e := math.Exp(a.value)
	return through(e, e, a.scale)
}

func exp2(a pair) pair {
	e := math.Exp2(a.value)
	return through(e, e*math.Ln2, a.scale)
}

func expm1(a pair) pair { return through(math.Expm1(a.value), math.Exp(a.value), a.scale) }
func log(a pair) pair   { return through(math.Log(a.value), 1/a.value, a.scale) }
func log2(a pair) pair  { return through(math.Log2(a.value), 1/(a.value*math.Ln2), a.scale) }
func log10(a pair) pair { return through(math.Log10(a.value), 1/(a.value*math.Ln10), a.scale) }
func log1p(a pair) pair { return through(math.Log1p(a.value), 1/(1+a.value), a.scale) }
func sin(a pair) pair   { return through(math.Sin(a.value), math.Cos(a.value), a.scale) }
func cos(a pair) pair   { return through(math.Cos(a.value), math.Sin(a.value), a.scale) }

func tanh(a pair) pair {
	t := math.Tanh(a.value)
	return through(t, 1-t*t, a.scale)
}

func erf(a pair) pair {
	return through(math.Erf(a.value), 2/math.SqrtPi*math.Exp(-a.value*a.value), a.scale)
}

func sqrt(a pair) pair {
	if a.value == 0 {
		return pair{0, math.Sqrt(a.scale)} // the slope is infinite, the error is not
	}
	r := math.Sqrt(a.value)
	return through(r, 0.5/r, a.scale)
}

func rsqrt(a pair) pair {
	r := 1 / math.Sqrt(a.value)
	return through(r, 0.5*r/a.value, a.scale)
}

func abs(a pair) pair { return pair{math.Abs(a.value), a.scale} }

func pow(a, b pair) pair {
	p := math.Pow(a.value, b.value)
	scale := math.Abs(p)
	if a.value != 0 {
		scale *= 1 + math.Abs(b.value)*a.scale/math.Abs(a.value) + math.Abs(math.Log(math.Abs(a.value)))*b.scale
	}
	return pair{p, scale}
}

// jump carries a scale through a function with jumps, where nothing better can
// be said than that the error stays of the operand's order.
func jump(f func(float64) float64) func(a, b, c pair) pair {
	return ofOne(func(a pair) pair {
		v := f(a.value)
		return pair{v, max(math.Abs(v), a.scale)}
	})
}

func copysign(a, b pair) pair { return pair{math.Copysign(a.value, b.value), a.scale} }

func fma(a, b, c pair) pair {
	return pair{math.FMA(a.value, b.value, c.value), a.scale*b.scale + c.scale}
}

// choose is arith.select: the other branch's scale counts as far as the
// condition is uncertain.
func choose(condition, a, b pair) pair {
	if condition.value == 0 {
		a, b = b, a
	}
	if condition.scale == 0 {
		return a
	}
	return pair{a.value, max(a.scale, condition.scale*b.scale)}
}

func logical(f func(a, b bool) bool) func(a, b, c pair) pair {
	return ofTwo(func(a, b pair) pair {
		return pair{truth(f(a.value != 0, b.value != 0)), max(a.scale, b.scale)}
	})
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func ofOne(f func(a pair) pair) func(a, b, c pair) pair {
	return func(a, _, _ pair) pair { return f(a) }
}

func ofTwo(f func(a, b pair) pair) func(a, b, c pair) pair {
	return func(a, b, _ pair) pair { return f(a, b) }
}

// operation is a scalar operation of MLIR; operands it has not are zero.
type operation struct {
	operands int
	apply    func(a, b, c pair) pair
}

var operations = map[string]operation{
	"arith.addf":     {2, ofTwo(add)},
	"arith.subf":     {2, ofTwo(sub)},
	"arith.mulf":     {2, ofTwo(mul)},
	"arith.divf":     {2, ofTwo(div)},
	"arith.negf":     {1, ofOne(neg)},
	"arith.maximumf": {2, ofTwo(larger)},
	"arith.minimumf": {2, ofTwo(smaller)},
	"arith.maxnumf":  {2, ofTwo(largerNumber)},
	"arith.minnumf":  {2, ofTwo(smallerNumber)},
	"arith.select":   {3, choose},
	"arith.andi":     {2, logical(func(a, b bool) bool { return a && b })},
	"arith.ori":      {2, logical(func(a, b bool) bool { return a || b })},
	"arith.xori":     {2, logical(func(a, b bool) bool { return a != b })},
	"math.absf":      {1, ofOne(abs)},
	"math.ceil":      {1, jump(math.Ceil)},
	"math.copysign":  {2, ofTwo(copysign)},
	"math.cos":       {1, ofOne(cos)},
	"math.erf":       {1, ofOne(erf)},
	"math.exp":       {1, ofOne(exp)},
	"math.exp2":      {1, ofOne(exp2)},
	"math.expm1":     {1, ofOne(expm1)},
	"math.floor":     {1, jump(math.Floor)},
	"math.fma":       {3, fma},
	"math.log":       {1, ofOne(log)},
	"math.log10":     {1, ofOne(log10)},
	"math.log1p":     {1, ofOne(log1p)},
	"math.log2":      {1, ofOne(log2)},
	"math.powf":      {2, ofTwo(pow)},
	"math.round":     {1, jump(math.Round)},
	"math.roundeven": {1, jump(math.RoundToEven)},
	"math.rsqrt":     {1, ofOne(rsqrt)},
	"math.sin":       {1, ofOne(sin)},
	"math.sqrt":      {1, ofOne(sqrt)},
	"math.tanh":      {1, ofOne(tanh)},
	"math.trunc":     {1, jump(math.Trunc)},
}

// predicates of arith.cmpf. An ordered one is false and an unordered one true
// beside a NaN.
var predicates = map[string]func(a, b float64) bool{
	"false": func(a, b float64) bool { return false },
	"oeq":   func(a, b float64) bool { return a == b },
	"ogt":   func(a, b float64) bool { return a > b },
	"oge":   func(a, b float64) bool { return a >= b },
	"olt":   func(a, b float64) bool { return a < b },
	"ole":   func(a, b float64) bool { return a <= b },
	"one":   func(a, b float64) bool { return a < b || a > b },
	"ord":   func(a, b float64) bool { return a == a && b == b },
	"ueq":   func(a, b float64) bool { return !(a < b || a > b) },
	"ugt":   func(a, b float64) bool { return !(a <= b) },
	"uge":   func(a, b float64) bool { return !(a < b) },
	"ult":   func(a, b float64) bool { return !(a >= b) },
	"ule":   func(a, b float64) bool { return !(a > b) },
	"une":   func(a, b float64) bool { return a != b },
	"uno":   func(a, b float64) bool { return a != a || b != b },
	"true":  func(a, b float64) bool { return true },
}

func lookup(i program.Instruction) (operation, error) {
	if i.Op == "arith.cmpf" {
		holds, found := predicates[i.Predicate]
		if !found {
			return operation{}, fmt.Errorf("arith.cmpf has the unknown predicate %q", i.Predicate)
		}
		certain := slices.Contains([]string{"ord", "uno", "true", "false"}, i.Predicate)
		return operation{2, ofTwo(func(a, b pair) pair {
			c := pair{value: truth(holds(a.value, b.value))}
			if !certain {
				c.scale = closeness(a, b)
			}
			return c
		})}, nil
	}
	o, found := operations[i.Op]
	if !found {
		return operation{}, fmt.Errorf("the reference does not know the scalar operation %q", i.Op)
	}
	return o, nil
}
