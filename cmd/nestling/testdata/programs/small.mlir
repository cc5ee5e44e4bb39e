func.func @small(%x: tensor<8x16xf32>, %w: tensor<16x12xf32> {nestling.weight}, %b: tensor<12xf32> {nestling.weight}) -> tensor<8x12xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<8x12xf32>
  %init = linalg.broadcast ins(%b : tensor<12xf32>) outs(%empty : tensor<8x12xf32>) dimensions = [0]
  %y = linalg.matmul ins(%x, %w : tensor<8x16xf32>, tensor<16x12xf32>) outs(%init : tensor<8x12xf32>) -> tensor<8x12xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<8x12xf32>) outs(%empty : tensor<8x12xf32>) {
  ^bb0(%v: f32, %o: f32):
    %m = arith.maximumf %v, %zero : f32
    linalg.yield %m : f32
  } -> tensor<8x12xf32>
  return %r : tensor<8x12xf32>
}
