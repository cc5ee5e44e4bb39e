// exp(x): x = n·ln 2 + r with |r| ≤ ln 2 / 2, a polynomial in r, and n added to its
// exponent. Results below the smallest normal number are 0. Every multiplication may
// be fused with the addition after it.
func.func private @nestling.exp(%x: F) -> F {
  %log2e = arith.constant dense<1.44269502> : F
  // 3/2·2²³: its last bit is the unit, so that adding it rounds.
  %rounding = arith.constant dense<12582912.0> : F
  %t0 = arith.mulf %x, %log2e fastmath<contract> : F
  %t = arith.addf %t0, %rounding fastmath<contract> : F
  %n = arith.subf %t, %rounding : F
  // -ln 2 in two parts, of which the first has so few digits that its product with
  // n is exact.
  %ln2high = arith.constant dense<-0.693359375> : F
  %ln2low = arith.constant dense<2.12194440e-4> : F
  %r0 = arith.mulf %n, %ln2high fastmath<contract> : F
  %r1 = arith.addf %x, %r0 fastmath<contract> : F
  %r2 = arith.mulf %n, %ln2low fastmath<contract> : F
  %r = arith.addf %r1, %r2 fastmath<contract> : F
  %c6 = arith.constant dense<0.00139517046> : F
  %c5 = arith.constant dense<0.00836959016> : F
  %c4 = arith.constant dense<0.0416661873> : F
  %c3 = arith.constant dense<0.166665137> : F
  %c2 = arith.constant dense<0.5> : F
  %one = arith.constant dense<1.0> : F
  %m5 = arith.mulf %c6, %r fastmath<contract> : F
  %p5 = arith.addf %m5, %c5 fastmath<contract> : F
  %m4 = arith.mulf %p5, %r fastmath<contract> : F
  %p4 = arith.addf %m4, %c4 fastmath<contract> : F
  %m3 = arith.mulf %p4, %r fastmath<contract> : F
  %p3 = arith.addf %m3, %c3 fastmath<contract> : F
  %m2 = arith.mulf %p3, %r fastmath<contract> : F
  %p2 = arith.addf %m2, %c2 fastmath<contract> : F
  %rr = arith.mulf %r, %r : F
  %m1 = arith.mulf %p2, %rr fastmath<contract> : F
  %p1 = arith.addf %m1, %r fastmath<contract> : F
  %p = arith.addf %p1, %one : F
  %bits = arith.constant dense<23> : I
  %ti = arith.bitcast %t : F to I
  %k = arith.shli %ti, %bits : I
  %pi = arith.bitcast %p : F to I
  %yi = arith.addi %pi, %k : I
  %y = arith.bitcast %yi : I to F
  %high = arith.constant dense<88.7228394> : F
  %low = arith.constant dense<-87.3365479> : F
  %infinity = arith.constant dense<0x7F800000> : F
  %zero = arith.constant dense<0.0> : F
  %over = arith.cmpf ogt, %x, %high : F
  %under = arith.cmpf olt, %x, %low : F
  %y1 = arith.select %over, %infinity, %y : B, F
  %y2 = arith.select %under, %zero, %y1 : B, F
  return %y2 : F
}

// tanh(x): x + x³·P(x²) where |x| is small, else ±(1 - 2/(exp(2|x|) + 1)).
func.func private @nestling.tanh(%x: F) -> F {
  %a = math.absf %x : F
  %u = arith.mulf %x, %x : F
  %c4 = arith.constant dense<-0.00560155977> : F
  %c3 = arith.constant dense<0.0205496121> : F
  %c2 = arith.constant dense<-0.0537134670> : F
  %c1 = arith.constant dense<0.133311450> : F
  %c0 = arith.constant dense<-0.333332717> : F
  %m3 = arith.mulf %c4, %u fastmath<contract> : F
  %p3 = arith.addf %m3, %c3 fastmath<contract> : F
  %m2 = arith.mulf %p3, %u fastmath<contract> : F
  %p2 = arith.addf %m2, %c2 fastmath<contract> : F
  %m1 = arith.mulf %p2, %u fastmath<contract> : F
  %p1 = arith.addf %m1, %c1 fastmath<contract> : F
  %m0 = arith.mulf %p1, %u fastmath<contract> : F
  %p0 = arith.addf %m0, %c0 fastmath<contract> : F
  %cube = arith.mulf %u, %x : F
  %s0 = arith.mulf %p0, %cube fastmath<contract> : F
  %small = arith.addf %s0, %x fastmath<contract> : F
  %two = arith.constant dense<2.0> : F
  %one = arith.constant dense<1.0> : F
  %double = arith.mulf %a, %two : F
  %e = func.call @nestling.exp(%double) : (F) -> F
  %e1 = arith.addf %e, %one : F
  %q = arith.divf %two, %e1 : F
  %l0 = arith.subf %one, %q : F
  %large = math.copysign %l0, %x : F
  %limit = arith.constant dense<0.625> : F
  %near = arith.cmpf olt, %a, %limit : F
  %y = arith.select %near, %small, %large : B, F
  return %y : F
}

// erf(x): x·P(x²) where |x| < 1, else ±(1 - exp(Q(|x|))), with erfc = exp ∘ Q.
func.func private @nestling.erf(%x: F) -> F {
  %a = math.absf %x : F
  %u = arith.mulf %x, %x : F
  %c6 = arith.constant dense<7.85386073e-5> : F
  %c5 = arith.constant dense<-8.01019371e-4> : F
  %c4 = arith.constant dense<0.00518832775> : F
  %c3 = arith.constant dense<-0.0268538129> : F
  %c2 = arith.constant dense<0.112835854> : F
  %c1 = arith.constant dense<-0.376126260> : F
  %c0 = arith.constant dense<1.12837911> : F
  %m5 = arith.mulf %c6, %u fastmath<contract> : F
  %p5 = arith.addf %m5, %c5 fastmath<contract> : F
  %m4 = arith.mulf %p5, %u fastmath<contract> : F
  %p4 = arith.addf %m4, %c4 fastmath<contract> : F
  %m3 = arith.mulf %p4, %u fastmath<contract> : F
  %p3 = arith.addf %m3, %c3 fastmath<contract> : F
  %m2 = arith.mulf %p3, %u fastmath<contract> : F
  %p2 = arith.addf %m2, %c2 fastmath<contract> : F
  %m1 = arith.mulf %p2, %u fastmath<contract> : F
  %p1 = arith.addf %m1, %c1 fastmath<contract> : F
  %m0 = arith.mulf %p1, %u fastmath<contract> : F
  %p0 = arith.addf %m0, %c0 fastmath<contract> : F
  %small = arith.mulf %p0, %x : F
  // Beyond 4 the result is 1; a NaN passes.
  %four = arith.constant dense<4.0> : F
  %far = arith.cmpf ogt, %a, %four : F
  %b = arith.select %far, %four, %a : B, F
  %d5 = arith.constant dense<-0.00115722162> : F
  %d4 = arith.constant dense<0.0148318503> : F
  %d3 = arith.constant dense<-0.0887997374> : F
  %d2 = arith.constant dense<-0.654240012> : F
  %d1 = arith.constant dense<-1.11762130> : F
  %d0 = arith.constant dense<-0.00261916686> : F
  %n4 = arith.mulf %d5, %b fastmath<contract> : F
  %q4 = arith.addf %n4, %d4 fastmath<contract> : F
  %n3 = arith.mulf %q4, %b fastmath<contract> : F
  %q3 = arith.addf %n3, %d3 fastmath<contract> : F
  %n2 = arith.mulf %q3, %b fastmath<contract> : F
  %q2 = arith.addf %n2, %d2 fastmath<contract> : F
  %n1 = arith.mulf %q2, %b fastmath<contract> : F
  %q1 = arith.addf %n1, %d1 fastmath<contract> : F
  %n0 = arith.mulf %q1, %b fastmath<contract> : F
  %q0 = arith.addf %n0, %d0 fastmath<contract> : F
  %e = func.call @nestling.exp(%q0) : (F) -> F
  %one = arith.constant dense<1.0> : F
  %l0 = arith.subf %one, %e : F
  %large = math.copysign %l0, %x : F
  %near = arith.cmpf olt, %a, %one : F
  %y = arith.select %near, %small, %large : B, F
  return %y : F
}
