module {
  func.func @kernel(%a0: tensor<64x128xf32> {nestling.argument = 0 : i64}, %a1: tensor<64x128xf32> {nestling.argument = 1 : i64}, %a2: tensor<64xf32> {nestling.argument = 2 : i64}) -> (tensor<64x64xf32>) {
    %v3 = arith.constant dense<0x00000000> : tensor<f32>
    %v4 = tensor.empty() : tensor<64x64xf32>
    %v5 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%v3 : tensor<f32>) outs(%v4 : tensor<64x64xf32>) attrs = {nestling.op = "fill0"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<64x64xf32>
    %v11 = tensor.empty() : tensor<128x64xf32>
    %v12 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%a1 : tensor<64x128xf32>) outs(%v11 : tensor<128x64xf32>) attrs = {nestling.op = "matmul0.in1"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<128x64xf32>
    %v6 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a0, %v12 : tensor<64x128xf32>, tensor<128x64xf32>) outs(%v5 : tensor<64x64xf32>) attrs = {nestling.op = "matmul0"} {
    ^bb0(%r0: f32, %r1: f32, %r2: f32):
      %r3 = arith.mulf %r0, %r1 : f32
      %r4 = arith.addf %r2, %r3 : f32
      linalg.yield %r4 : f32
    } -> tensor<64x64xf32>
    %v7 = tensor.empty() : tensor<64x64xf32>
    %v8 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%v6, %a2 : tensor<64x64xf32>, tensor<64xf32>) outs(%v7 : tensor<64x64xf32>) attrs = {nestling.op = "add0"} {
    ^bb0(%r0: f32, %r1: f32, %r2: f32):
      %r3 = arith.addf %r0, %r1 : f32
      linalg.yield %r3 : f32
    } -> tensor<64x64xf32>
    %v9 = tensor.empty() : tensor<64x64xf32>
    %v10 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%v8 : tensor<64x64xf32>) outs(%v9 : tensor<64x64xf32>) attrs = {nestling.op = "relu0"} {
    ^bb0(%r0: f32, %r1: f32):
      %r2 = arith.constant 0x00000000 : f32
      %r3 = arith.maximumf %r0, %r2 : f32
      linalg.yield %r3 : f32
    } -> tensor<64x64xf32>
    return %v10 : tensor<64x64xf32>
  }
}
