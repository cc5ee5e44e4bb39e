module attributes {transform.with_named_sequence} {
transform.named_sequence @tensor_seq(%module: !transform.any_op {transform.readonly}) {
  %func = transform.structured.match ops{["func.func"]} in %module : (!transform.any_op) -> !transform.any_op
  %h1 = transform.structured.match attributes{nestling.op = "relu0"} in %module : (!transform.any_op) -> !transform.any_op
  %h3, %h2 = transform.structured.tile_using_forall %h1 tile_sizes [1, 8, 2, 14] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %h4 = transform.structured.match attributes{nestling.op = "add0"} in %module : (!transform.any_op) -> !transform.any_op
  %h5, %h6 = transform.structured.fuse_into_containing_op %h4 into %h2 : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
  %h7 = transform.structured.match attributes{nestling.op = "conv0"} in %module : (!transform.any_op) -> !transform.any_op
  %h8, %h9 = transform.structured.fuse_into_containing_op %h7 into %h6 : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
  %h10 = transform.structured.match attributes{nestling.op = "fill1"} in %module : (!transform.any_op) -> !transform.any_op
  %h11, %h12 = transform.structured.fuse_into_containing_op %h10 into %h9 : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
  %h13, %h14, %h15, %h16 = transform.structured.tile_using_for %h8 tile_sizes [0, 0, 0, 0, 4, 1, 1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
  %h17 = transform.structured.interchange %h13 iterator_interchange = [0, 2, 3, 1, 4, 5, 6] : (!transform.any_op) -> !transform.any_op
  %h18 = transform.structured.match attributes{nestling.op = "copy0"} in %module : (!transform.any_op) -> !transform.any_op
  %h20, %h19 = transform.structured.tile_using_forall %h18 tile_sizes [1, 1, 1, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %h21 = transform.structured.match attributes{nestling.op = "fill0"} in %module : (!transform.any_op) -> !transform.any_op
  %h22, %h23, %h24, %h25 = transform.structured.tile_using_for %h21 tile_sizes [1, 1, 1, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
  transform.apply_patterns to %func {
    transform.apply_patterns.linalg.fold_unit_extent_dims_via_slices
  } : !transform.any_op
  transform.structured.vectorize %h3 : !transform.any_op
  transform.structured.vectorize %h5 : !transform.any_op
  transform.structured.vectorize %h17 : !transform.any_op
  transform.structured.vectorize %h11 : !transform.any_op
  transform.structured.vectorize %h20 : !transform.any_op
  transform.structured.vectorize %h22 : !transform.any_op
  transform.apply_patterns to %func {
    transform.apply_patterns.linalg.fold_unit_extent_dims_via_slices
    transform.apply_patterns.linalg.tiling_canonicalization
    transform.apply_patterns.tensor.merge_consecutive_insert_extract_slice
    transform.apply_patterns.canonicalization
  } : !transform.any_op
  transform.apply_patterns to %func {
    transform.apply_patterns.vector.reduction_to_contract
    transform.apply_patterns.vector.transfer_permutation_patterns
    transform.apply_patterns.canonicalization
  } : !transform.any_op
  transform.apply_licm to %h16 : !transform.any_op
  transform.loop.hoist_loop_invariant_subsets %h16 : !transform.any_op
  transform.apply_licm to %h15 : !transform.any_op
  transform.loop.hoist_loop_invariant_subsets %h15 : !transform.any_op
  transform.apply_licm to %h14 : !transform.any_op
  transform.loop.hoist_loop_invariant_subsets %h14 : !transform.any_op
  transform.apply_patterns to %func {
    transform.apply_patterns.linalg.fold_unit_extent_dims_via_slices
    transform.apply_patterns.linalg.tiling_canonicalization
    transform.apply_patterns.tensor.merge_consecutive_insert_extract_slice
    transform.apply_patterns.canonicalization
  } : !transform.any_op
  transform.apply_cse to %func : !transform.any_op
  transform.apply_dce to %func : !transform.any_op
  transform.yield
}
transform.named_sequence @buffer_seq(%module: !transform.any_op {transform.readonly}) {
  %func = transform.structured.match ops{["func.func"]} in %module : (!transform.any_op) -> !transform.any_op
  transform.apply_patterns to %func {
    transform.apply_patterns.vector.lower_contraction lowering_strategy = "outerproduct"
    transform.apply_patterns.vector.transfer_permutation_patterns
    transform.apply_patterns.vector.cast_away_vector_leading_one_dim
    transform.apply_patterns.canonicalization
  } : !transform.any_op
  transform.apply_patterns to %func {
    transform.apply_patterns.vector.lower_outerproduct
    transform.apply_patterns.vector.transfer_to_scf max_transfer_rank = 1 full_unroll = true
    transform.apply_patterns.canonicalization
  } : !transform.any_op
  transform.apply_patterns to %func {
    transform.apply_patterns.vector.lower_transfer max_transfer_rank = 1
    transform.apply_patterns.vector.lower_shape_cast
    transform.apply_patterns.vector.lower_transpose lowering_strategy = "shuffle_1d"
    transform.apply_patterns.vector.lower_broadcast
    transform.apply_patterns.canonicalization
  } : !transform.any_op
  transform.yield
}
}
