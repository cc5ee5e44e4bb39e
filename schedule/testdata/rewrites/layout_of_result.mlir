module {
  func.func @kernel(%a0: tensor<2x16x28x28xf32> {nestling.argument = 0 : i64}, %a1: tensor<32x16x3x3xf32> {nestling.argument = 1 : i64}, %a2: tensor<32xf32> {nestling.argument = 2 : i64}) -> (tensor<2x32x28x28xf32>) {
    %v3 = arith.constant dense<0x00000000> : tensor<f32>
    %v4 = tensor.empty() : tensor<2x16x30x30xf32>
    %v5 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> ()>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%v3 : tensor<f32>) outs(%v4 : tensor<2x16x30x30xf32>) attrs = {nestling.op = "fill0"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<2x16x30x30xf32>
    %v6 = tensor.extract_slice %v5[0, 0, 1, 1] [2, 16, 28, 28] [1, 1, 1, 1] : tensor<2x16x30x30xf32> to tensor<2x16x28x28xf32>
    %v7 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%a0 : tensor<2x16x28x28xf32>) outs(%v6 : tensor<2x16x28x28xf32>) attrs = {nestling.op = "copy0"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<2x16x28x28xf32>
    %v9 = arith.constant dense<0x00000000> : tensor<f32>
    %v19 = tensor.empty() : tensor<2x28x28x32xf32>
    %v11 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> ()>, affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%v9 : tensor<f32>) outs(%v19 : tensor<2x28x28x32xf32>) attrs = {nestling.op = "fill1"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<2x28x28x32xf32>
    %v17 = tensor.empty() : tensor<16x3x3x32xf32>
    %v18 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d3, d0, d1, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%a1 : tensor<32x16x3x3xf32>) outs(%v17 : tensor<16x3x3x32xf32>) attrs = {nestling.op = "conv0.in1"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<16x3x3x32xf32>
    %v8 = tensor.insert_slice %v7 into %v5[0, 0, 1, 1] [2, 16, 28, 28] [1, 1, 1, 1] : tensor<2x16x28x28xf32> into tensor<2x16x30x30xf32>
    %v20 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, d2 + d5, d3 + d6)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d4, d5, d6, d1)>, affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d2, d3, d1)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%v8, %v18 : tensor<2x16x30x30xf32>, tensor<16x3x3x32xf32>) outs(%v11 : tensor<2x28x28x32xf32>) attrs = {nestling.op = "conv0"} {
    ^bb0(%r0: f32, %r1: f32, %r2: f32):
      %r3 = arith.mulf %r0, %r1 : f32
      %r4 = arith.addf %r2, %r3 : f32
      linalg.yield %r4 : f32
    } -> tensor<2x28x28x32xf32>
    %v21 = tensor.empty() : tensor<2x32x28x28xf32>
    %v12 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%v20 : tensor<2x28x28x32xf32>) outs(%v21 : tensor<2x32x28x28xf32>) attrs = {nestling.op = "conv0.out"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<2x32x28x28xf32>
    %v13 = tensor.empty() : tensor<2x32x28x28xf32>
    %v14 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d1)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%v12, %a2 : tensor<2x32x28x28xf32>, tensor<32xf32>) outs(%v13 : tensor<2x32x28x28xf32>) attrs = {nestling.op = "add0"} {
    ^bb0(%r0: f32, %r1: f32, %r2: f32):
      %r3 = arith.addf %r0, %r1 : f32
      linalg.yield %r3 : f32
    } -> tensor<2x32x28x28xf32>
    %v15 = tensor.empty() : tensor<2x32x28x28xf32>
    %v16 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%v14 : tensor<2x32x28x28xf32>) outs(%v15 : tensor<2x32x28x28xf32>) attrs = {nestling.op = "relu0"} {
    ^bb0(%r0: f32, %r1: f32):
      %r2 = arith.constant 0x00000000 : f32
      %r3 = arith.maximumf %r0, %r2 : f32
      linalg.yield %r3 : f32
    } -> tensor<2x32x28x28xf32>
    return %v16 : tensor<2x32x28x28xf32>
  }
}
