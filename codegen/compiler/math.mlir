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

// tanh(x): ±b·P(b²)/Q(b²) with b = min(|x|, 9.02), and no more than 1. Before their
// coefficients were rounded, P and Q (of constant terms 1) were those whose largest relative
// error is least for tanh(b)·(1 + 1.5e-7·(b/9.02)⁸): so the result at the end of the range is
// 1, with fused multiply-adds and without. A NaN passes both selections.
func.func private @nestling.tanh(%x: F) -> F {
  %a = math.absf %x : F
  %one = arith.constant dense<1.0> : F
  %limit = arith.constant dense<9.02> : F
  %beyond = arith.cmpf olt, %limit, %a : F
  %b = arith.select %beyond, %limit, %a : B, F
  %u = arith.mulf %b, %b : F
  %pc4 = arith.constant dense<1.3333144e-08> : F
  %pc3 = arith.constant dense<2.059162e-05> : F
  %pc2 = arith.constant dense<3.4944848e-03> : F
  %pc1 = arith.constant dense<1.3380088e-01> : F
  %pm3 = arith.mulf %pc4, %u fastmath<contract> : F
  %p3 = arith.addf %pm3, %pc3 fastmath<contract> : F
  %pm2 = arith.mulf %p3, %u fastmath<contract> : F
  %p2 = arith.addf %pm2, %pc2 fastmath<contract> : F
  %pm1 = arith.mulf %p2, %u fastmath<contract> : F
  %p1 = arith.addf %pm1, %pc1 fastmath<contract> : F
  %pm0 = arith.mulf %p1, %u fastmath<contract> : F
  %p0 = arith.addf %pm0, %one fastmath<contract> : F
  %qc4 = arith.constant dense<7.7670666e-07> : F
  %qc3 = arith.constant dense<3.2838556e-04> : F
  %qc2 = arith.constant dense<2.5872754e-02> : F
  %qc1 = arith.constant dense<4.6713403e-01> : F
  %qm3 = arith.mulf %qc4, %u fastmath<contract> : F
  %q3 = arith.addf %qm3, %qc3 fastmath<contract> : F
  %qm2 = arith.mulf %q3, %u fastmath<contract> : F
  %q2 = arith.addf %qm2, %qc2 fastmath<contract> : F
  %qm1 = arith.mulf %q2, %u fastmath<contract> : F
  %q1 = arith.addf %qm1, %qc1 fastmath<contract> : F
  %qm0 = arith.mulf %q1, %u fastmath<contract> : F
  %q0 = arith.addf %qm0, %one fastmath<contract> : F
  %above = arith.mulf %p0, %b : F
  %r = arith.divf %above, %q0 : F
  %over = arith.cmpf olt, %one, %r : F
  %s = arith.select %over, %one, %r : B, F
  %y = math.copysign %s, %x : F
  return %y : F
}

// erf(x): as tanh, with b = min(|x|, 3.95), for erf(b)·(1 + 2e-7·(b/3.95)⁸).
func.func private @nestling.erf(%x: F) -> F {
  %a = math.absf %x : F
  %one = arith.constant dense<1.0> : F
  %limit = arith.constant dense<3.95> : F
  %beyond = arith.cmpf olt, %limit, %a : F
  %b = arith.select %beyond, %limit, %a : B, F
  %u = arith.mulf %b, %b : F
  %pc5 = arith.constant dense<2.0267103e-06> : F
  %pc4 = arith.constant dense<2.8471887e-04> : F
  %pc3 = arith.constant dense<3.807858e-03> : F
  %pc2 = arith.constant dense<5.2874975e-02> : F
  %pc1 = arith.constant dense<1.915395e-01> : F
  %pc0 = arith.constant dense<1.1283791> : F
  %pm4 = arith.mulf %pc5, %u fastmath<contract> : F
  %p4 = arith.addf %pm4, %pc4 fastmath<contract> : F
  %pm3 = arith.mulf %p4, %u fastmath<contract> : F
  %p3 = arith.addf %pm3, %pc3 fastmath<contract> : F
  %pm2 = arith.mulf %p3, %u fastmath<contract> : F
  %p2 = arith.addf %pm2, %pc2 fastmath<contract> : F
  %pm1 = arith.mulf %p2, %u fastmath<contract> : F
  %p1 = arith.addf %pm1, %pc1 fastmath<contract> : F
  %pm0 = arith.mulf %p1, %u fastmath<contract> : F
  %p0 = arith.addf %pm0, %pc0 fastmath<contract> : F
  %qc5 = arith.constant dense<3.7840862e-05> : F
  %qc4 = arith.constant dense<1.1707104e-03> : F
  %qc3 = arith.constant dense<1.505458e-02> : F
  %qc2 = arith.constant dense<1.1455601e-01> : F
  %qc1 = arith.constant dense<5.030801e-01> : F
  %qm4 = arith.mulf %qc5, %u fastmath<contract> : F
  %q4 = arith.addf %qm4, %qc4 fastmath<contract> : F
  %qm3 = arith.mulf %q4, %u fastmath<contract> : F
  %q3 = arith.addf %qm3, %qc3 fastmath<contract> : F
  %qm2 = arith.mulf %q3, %u fastmath<contract> : F
  %q2 = arith.addf %qm2, %qc2 fastmath<contract> : F
  %qm1 = arith.mulf %q2, %u fastmath<contract> : F
  %q1 = arith.addf %qm1, %qc1 fastmath<contract> : F
  %qm0 = arith.mulf %q1, %u fastmath<contract> : F
  %q0 = arith.addf %qm0, %one fastmath<contract> : F
  %above = arith.mulf %p0, %b : F
  %r = arith.divf %above, %q0 : F
  %over = arith.cmpf olt, %one, %r : F
  %s = arith.select %over, %one, %r : B, F
  %y = math.copysign %s, %x : F
  return %y : F
}
