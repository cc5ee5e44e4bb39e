module {
  func.func @kernel(%a0: tensor<64x128xf32> {nestling.argument = 0 : i64}, %a1: tensor<64x128xf32> {nestling.argument = 1 : i64}, %a2: tensor<64xf32> {nestling.argument = 2 : i64}) -> (tensor<64x64xf32>) {
    %v3 = arith.constant dense<0x00000000> : tensor<f32>
    %v11 = tensor.empty() : tensor<64x2x32xf32>
    %v5 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> ()>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%v3 : tensor<f32>) outs(%v11 : tensor<64x2x32xf32>) attrs = {nestling.op = "fill0"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<64x2x32xf32>
    %v12 = tensor.expand_shape %a1 [[0, 1], [2]] output_shape [2, 32, 128] : tensor<64x128xf32> into tensor<2x32x128xf32>
    %v6 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d3)>, affine_map<(d0, d1, d2, d3) -> (d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%a0, %v12 : tensor<64x128xf32>, tensor<2x32x128xf32>) outs(%v5 : tensor<64x2x32xf32>) attrs = {nestling.op = "matmul0"} {
    ^bb0(%r0: f32, %r1: f32, %r2: f32):
      %r3 = arith.mulf %r0, %r1 : f32
      %r4 = arith.addf %r2, %r3 : f32
      linalg.yield %r4 : f32
    } -> tensor<64x2x32xf32>
    %v13 = tensor.expand_shape %a2 [[0, 1]] output_shape [2, 32] : tensor<64xf32> into tensor<2x32xf32>
    %v14 = tensor.empty() : tensor<64x2x32xf32>
    %v8 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%v6, %v13 : tensor<64x2x32xf32>, tensor<2x32xf32>) outs(%v14 : tensor<64x2x32xf32>) attrs = {nestling.op = "add0"} {
    ^bb0(%r0: f32, %r1: f32, %r2: f32):
      %r3 = arith.addf %r0, %r1 : f32
      linalg.yield %r3 : f32
    } -> tensor<64x2x32xf32>
    %v15 = tensor.empty() : tensor<64x2x32xf32>
    %v10 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%v8 : tensor<64x2x32xf32>) outs(%v15 : tensor<64x2x32xf32>) attrs = {nestling.op = "relu0"} {
    ^bb0(%r0: f32, %r1: f32):
      %r2 = arith.constant 0x00000000 : f32
      %r3 = arith.maximumf %r0, %r2 : f32
      linalg.yield %r3 : f32
    } -> tensor<64x2x32xf32>
    %v16 = tensor.collapse_shape %v10 [[0], [1, 2]] : tensor<64x2x32xf32> into tensor<64x64xf32>
    return %v16 : tensor<64x64xf32>
  }
}
