module {
  func.func @kernel(%a0: tensor<5x7xf32> {nestling.argument = 0 : i64}, %a1: tensor<7x9xf32> {nestling.argument = 1 : i64}) -> (tensor<5x9xf32>) {
    %v2 = arith.constant dense<0x00000000> : tensor<f32>
    %v7 = tensor.empty() : tensor<5x9xf32>
    %v10 = tensor.extract_slice %v7[0, 0] [5, 8] [1, 1] : tensor<5x9xf32> to tensor<5x8xf32>
    %v3 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%v2 : tensor<f32>) outs(%v10 : tensor<5x8xf32>) attrs = {nestling.op = "fill0"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<5x8xf32>
    %v12 = tensor.extract_slice %a1[0, 0] [7, 8] [1, 1] : tensor<7x9xf32> to tensor<7x8xf32>
    %v5 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a0, %v12 : tensor<5x7xf32>, tensor<7x8xf32>) outs(%v3 : tensor<5x8xf32>) attrs = {nestling.op = "matmul0"} {
    ^bb0(%r0: f32, %r1: f32, %r2: f32):
      %r3 = arith.mulf %r0, %r1 : f32
      %r4 = arith.addf %r2, %r3 : f32
      linalg.yield %r4 : f32
    } -> tensor<5x8xf32>
    %v8 = tensor.insert_slice %v5 into %v7[0, 0] [5, 8] [1, 1] : tensor<5x8xf32> into tensor<5x9xf32>
    %v11 = tensor.extract_slice %v8[0, 5] [5, 4] [1, 1] : tensor<5x9xf32> to tensor<5x4xf32>
    %v4 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> ()>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%v2 : tensor<f32>) outs(%v11 : tensor<5x4xf32>) attrs = {nestling.op = "fill0.rest"} {
    ^bb0(%r0: f32, %r1: f32):
      linalg.yield %r0 : f32
    } -> tensor<5x4xf32>
    %v13 = tensor.extract_slice %a1[0, 5] [7, 4] [1, 1] : tensor<7x9xf32> to tensor<7x4xf32>
    %v6 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%a0, %v13 : tensor<5x7xf32>, tensor<7x4xf32>) outs(%v4 : tensor<5x4xf32>) attrs = {nestling.op = "matmul0.rest"} {
    ^bb0(%r0: f32, %r1: f32, %r2: f32):
      %r3 = arith.mulf %r0, %r1 : f32
      %r4 = arith.addf %r2, %r3 : f32
      linalg.yield %r4 : f32
    } -> tensor<5x4xf32>
    %v9 = tensor.insert_slice %v6 into %v8[0, 5] [5, 4] [1, 1] : tensor<5x4xf32> into tensor<5x9xf32>
    return %v9 : tensor<5x9xf32>
  }
}
