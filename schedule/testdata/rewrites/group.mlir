module {
  func.func @kernel(%a0: tensor<2x16x28x28xf32> {nestling.argument = 0 : i64}, %a1: tensor<32x16x3x3xf32> {nestling.argument = 1 : i64}, %a2: tensor<32xf32> {nestling.argument = 2 : i64}) -> (tensor<2x32x28x28xf32>) {
    %g.relu0.empty = tensor.empty() : tensor<2x32x28x28xf32>
    %g.relu0.0 = arith.constant 0 : index
    %g.relu0.1 = arith.constant 1 : index
    %g.relu0.share = arith.constant 2 : index
    %v5 = scf.forall (%g.relu0.t) in (1) shared_outs(%g.relu0.all = %g.relu0.empty) -> (tensor<2x32x28x28xf32>) {
    %g.relu0.first = arith.muli %g.relu0.t, %g.relu0.share : index
    %g.relu0.part = tensor.extract_slice %g.relu0.all[%g.relu0.first, 0, 0, 0] [2, 32, 28, 28] [1, 1, 1, 1] : tensor<2x32x28x28xf32> to tensor<2x32x28x28xf32>
    %g.relu0.done = scf.for %g.relu0.i = %g.relu0.0 to %g.relu0.share step %g.relu0.1 iter_args(%g.relu0.before = %g.relu0.part) -> (tensor<2x32x28x28xf32>) {
    %g.relu0.n = arith.addi %g.relu0.first, %g.relu0.i : index
    %g.relu0.in0 = tensor.extract_slice %a0[%g.relu0.n, 0, 0, 0] [1, 16, 28, 28] [1, 1, 1, 1] : tensor<2x16x28x28xf32> to tensor<1x16x28x28xf32>
    %g.relu0.v3 = arith.constant dense<0x00000000> : tensor<f32>
    %g.relu0.v17 = tensor.empty() : tensor<1x16x30x30xf32>
    %g.relu0.v18 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> ()>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%g.relu0.v3 : tensor<f32>) outs(%g.relu0.v17 : tensor<1x16x30x30xf32>) attrs = {nestling.op = "fill0"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<1x16x30x30xf32>
    %g.relu0.v20 = tensor.extract_slice %g.relu0.v18[0, 0, 1, 1] [1, 16, 28, 28] [1, 1, 1, 1] : tensor<1x16x30x30xf32> to tensor<1x16x28x28xf32>
    %g.relu0.v21 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%g.relu0.in0 : tensor<1x16x28x28xf32>) outs(%g.relu0.v20 : tensor<1x16x28x28xf32>) attrs = {nestling.op = "copy0"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<1x16x28x28xf32>
    %g.relu0.v9 = arith.constant dense<0x00000000> : tensor<f32>
    %g.relu0.v22 = tensor.empty() : tensor<1x32x28x28xf32>
    %g.relu0.v23 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> ()>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%g.relu0.v9 : tensor<f32>) outs(%g.relu0.v22 : tensor<1x32x28x28xf32>) attrs = {nestling.op = "fill1"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<1x32x28x28xf32>
    %g.relu0.v24 = tensor.insert_slice %g.relu0.v21 into %g.relu0.v18[0, 0, 1, 1] [1, 16, 28, 28] [1, 1, 1, 1] : tensor<1x16x28x28xf32> into tensor<1x16x30x30xf32>
    %g.relu0.v26 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, d2 + d5, d3 + d6)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d1, d4, d5, d6)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%g.relu0.v24, %a1 : tensor<1x16x30x30xf32>, tensor<32x16x3x3xf32>) outs(%g.relu0.v23 : tensor<1x32x28x28xf32>) attrs = {nestling.op = "conv0"} {
    ^bb0(%r0: f32, %r1: f32, %r2: f32):
      %r3 = arith.mulf %r0, %r1 : f32
      %r4 = arith.addf %r2, %r3 : f32
      linalg.yield %r4 : f32
    } -> tensor<1x32x28x28xf32>
    %g.relu0.v28 = tensor.empty() : tensor<1x32x28x28xf32>
    %g.relu0.v29 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d1)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%g.relu0.v26, %a2 : tensor<1x32x28x28xf32>, tensor<32xf32>) outs(%g.relu0.v28 : tensor<1x32x28x28xf32>) attrs = {nestling.op = "add0"} {
    ^bb0(%r0: f32, %r1: f32, %r2: f32):
      %r3 = arith.addf %r0, %r1 : f32
      linalg.yield %r3 : f32
    } -> tensor<1x32x28x28xf32>
    %g.relu0.v30 = tensor.empty() : tensor<1x32x28x28xf32>
    %g.relu0.v31 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%g.relu0.v29 : tensor<1x32x28x28xf32>) outs(%g.relu0.v30 : tensor<1x32x28x28xf32>) attrs = {nestling.op = "relu0"} {
    ^bb0(%r0: f32, %r1: f32):
      %r2 = arith.constant 0x00000000 : f32
      %r3 = arith.maximumf %r0, %r2 : f32
      linalg.yield %r3 : f32
    } -> tensor<1x32x28x28xf32>
    %g.relu0.after = tensor.insert_slice %g.relu0.v31 into %g.relu0.before[%g.relu0.i, 0, 0, 0] [1, 32, 28, 28] [1, 1, 1, 1] : tensor<1x32x28x28xf32> into tensor<2x32x28x28xf32>
    scf.yield %g.relu0.after : tensor<2x32x28x28xf32>
    }
    scf.forall.in_parallel {
    tensor.parallel_insert_slice %g.relu0.done into %g.relu0.all[%g.relu0.first, 0, 0, 0] [2, 32, 28, 28] [1, 1, 1, 1] : tensor<2x32x28x28xf32> into tensor<2x32x28x28xf32>
    }
    }
    return %v5 : tensor<2x32x28x28xf32>
  }
}
