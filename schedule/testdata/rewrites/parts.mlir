module {
  func.func @kernel(%a0: tensor<6x8xf32> {nestling.argument = 0 : i64}) -> (tensor<f32>) {
    %v1 = arith.constant dense<0x00000000> : tensor<f32>
    %v2 = tensor.empty() : tensor<f32>
    %v3 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%v1 : tensor<f32>) outs(%v2 : tensor<f32>) attrs = {nestling.op = "fill0"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<f32>
    %v6 = arith.constant 0x00000000 : f32
    %v7 = tensor.empty() : tensor<2xf32>
    %v8 = linalg.generic {indexing_maps = [affine_map<(d0) -> ()>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%v6 : f32) outs(%v7 : tensor<2xf32>) attrs = {nestling.op = "sum0.parts.fill"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<2xf32>
    %v5 = tensor.expand_shape %a0 [[0, 1], [2]] output_shape [2, 3, 8] : tensor<6x8xf32> into tensor<2x3x8xf32>
    %v9 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0)>], iterator_types = ["parallel", "reduction", "reduction"]} ins(%v5 : tensor<2x3x8xf32>) outs(%v8 : tensor<2xf32>) attrs = {nestling.op = "sum0.parts"} {
    ^bb0(%r0: f32, %r1: f32):
      %r2 = arith.addf %r0, %r1 : f32
      linalg.yield %r2 : f32
    } -> tensor<2xf32>
    %v4 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%v9 : tensor<2xf32>) outs(%v3 : tensor<f32>) attrs = {nestling.op = "sum0"} {
    ^bb0(%r0: f32, %r1: f32):
      %r2 = arith.addf %r0, %r1 : f32
      linalg.yield %r2 : f32
    } -> tensor<f32>
    return %v4 : tensor<f32>
  }
}
