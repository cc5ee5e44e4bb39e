package program

import "slices"

// scalarOperations are the operations a body may hold, and what they count as.
var scalarOperations = map[string]func(*Arithmetic) *int{
	"arith.addf":     func(c *Arithmetic) *int { return &c.Add },
	"arith.subf":     func(c *Arithmetic) *int { return &c.Sub },
	"arith.negf":     func(c *Arithmetic) *int { return &c.Sub },
	"arith.mulf":     func(c *Arithmetic) *int { return &c.Mul },
	"arith.divf":     func(c *Arithmetic) *int { return &c.Div },
	"arith.maximumf": func(c *Arithmetic) *int { return &c.Max },
	"arith.minimumf": func(c *Arithmetic) *int { return &c.Max },
	"arith.maxnumf":  func(c *Arithmetic) *int { return &c.Max },
	"arith.minnumf":  func(c *Arithmetic) *int { return &c.Max },
	"arith.cmpf":     func(c *Arithmetic) *int { return &c.Other },
	"arith.select":   func(c *Arithmetic) *int { return &c.Other },
	"math.absf":      func(c *Arithmetic) *int { return &c.Other },
	"math.sqrt":      func(c *Arithmetic) *int { return &c.Div },
	"math.rsqrt":     func(c *Arithmetic) *int { return &c.Div },
	"math.exp":       func(c *Arithmetic) *int { return &c.Exp },
	"math.log":       func(c *Arithmetic) *int { return &c.Exp },
	"math.tanh":      func(c *Arithmetic) *int { return &c.Exp },
	"math.erf":       func(c *Arithmetic) *int { return &c.Exp },
	"math.powf":      func(c *Arithmetic) *int { return &c.Exp },
}

// CallsLibrary reports whether the body has operations that stay calls, of one element at a
// time: compilation expands the others to arithmetic.
func (o *Op) CallsLibrary() bool {
	return slices.ContainsFunc(o.Body, func(in Instruction) bool { return in.Op == "math.log" || in.Op == "math.powf" })
}

// KnownScalar reports whether a body may hold the MLIR operation of that name.
func KnownScalar(name string) bool { return scalarOperations[name] != nil }

// ScalarNames lists the MLIR operations that a body may hold.
func ScalarNames() []string {
	var names []string
	for name := range scalarOperations {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// CountArithmetic sets Arith from the body.
func (o *Op) CountArithmetic() {
	o.Arith = Arithmetic{}
	for _, in := range o.Body {
		if count, ok := scalarOperations[in.Op]; ok {
			*count(&o.Arith)++
		}
	}
}
