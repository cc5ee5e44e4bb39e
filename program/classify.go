package program

// Classify finds the family of an operation from its loops, maps and body.
func Classify(o *Op) Family {
	reductions := 0
	for _, l := range o.Loops {
		if l.Iterator == Reduction {
			reductions++
		}
	}
	windowed := o.hasWindow()
	switch {
	case reductions == 0:
		return o.classifyPointwise()
	case o.isContraction() && windowed:
		return Conv
	case o.isContraction():
		return Matmul
	case windowed:
		return Pooling
	default:
		return Reduce
	}
}

// classifyPointwise tells fills and copies, which only move elements, from
// element-wise arithmetic.
func (o *Op) classifyPointwise() Family {
	if o.Arith.Total() > 0 {
		return Elementwise
	}
	inputs := len(o.Operands) - 1
	switch {
	case o.Yield < inputs && len(o.Operands[o.Yield].Map.Coefficients) > 0:
		return Copy
	case o.Yield >= inputs || len(o.Operands[o.Yield].Map.Coefficients) == 0:
		return Fill
	}
	return Generic
}

// hasWindow tells whether some operand dimension is indexed by a parallel and a
// reduction loop together, as in convolutions and pooling.
func (o *Op) hasWindow() bool {
	for _, operand := range o.Operands {
		for _, row := range operand.Map.Coefficients {
			parallel, reduction := false, false
			for l, c := range row {
				if c == 0 {
					continue
				}
				if o.Loops[l].Iterator == Reduction {
					reduction = true
				} else {
					parallel = true
				}
			}
			if parallel && reduction {
				return true
			}
		}
	}
	return false
}

// isContraction tells whether the body is accumulator + a·b.
func (o *Op) isContraction() bool {
	n := len(o.Operands)
	if n != 3 || len(o.Body) != 2 || o.Body[0].Op != "arith.mulf" || o.Body[1].Op != "arith.addf" || o.Yield != n+1 {
		return false
	}
	product, sum := o.Body[0].Args, o.Body[1].Args
	multiplies := product[0]+product[1] == 1 && product[0] != product[1]
	accumulates := (sum[0] == 2 && sum[1] == n) || (sum[0] == n && sum[1] == 2)
	return multiplies && accumulates
}

// IsContraction tells whether the operation sums products of its two inputs.
func (o *Op) IsContraction() bool { return o.Family == Matmul || o.Family == Conv }

// Sources lists the operations that a value's elements come from, looking
// through slices, reshapes and insertions.
func (p *Program) Sources(value int) []int {
	switch v := p.Values[value]; v.Kind {
	case ValueResult:
		return []int{v.Op}
	case ValueSlice, ValueReshape:
		return p.Sources(v.Base)
	case ValueInsert:
		return append(p.Sources(v.Source), p.Sources(v.Base)...)
	}
	return nil
}
