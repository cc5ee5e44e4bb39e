module attributes {transform.with_named_sequence} {
transform.named_sequence @tensor_seq(%module: !transform.any_op {transform.readonly}) {
  %func = transform.structured.match ops{["func.func"]} in %module : (!transform.any_op) -> !transform.any_op
  %h1 = transform.structured.match attributes{nestling.op = "matmul0"} in %module : (!transform.any_op) -> !transform.any_op
  %h2 = transform.structured.interchange %h1 iterator_interchange = [1, 0, 2] : (!transform.any_op) -> !transform.any_op
  %h4, %h3 = transform.structured.tile_using_forall %h2 tile_sizes [32, 0, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %h5 = transform.structured.match attributes{nestling.op = "fill0"} in %module : (!transform.any_op) -> !transform.any_op
  %h6, %h7 = transform.structured.fuse_into_containing_op %h5 into %h3 : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
  %h8 = transform.get_operand %h4[1] : (!transform.any_op) -> !transform.any_value
  %h9 = transform.structured.promote_tensor %h8 : !transform.any_value
  %h10, %h11 = transform.structured.tile_using_for %h4 tile_sizes [0, 8, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %h12, %h13 = transform.structured.tile_using_for %h10 tile_sizes [0, 0, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %h14 = transform.structured.interchange %h12 iterator_interchange = [1, 0, 2] : (!transform.any_op) -> !transform.any_op
  %h15, %h16 = transform.structured.tile_using_for %h6 tile_sizes [8, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  transform.apply_patterns to %func {
    transform.apply_patterns.linalg.fold_unit_extent_dims_via_slices
  } : !transform.any_op
  transform.structured.vectorize %h14 : !transform.any_op
  transform.structured.vectorize %h15 : !transform.any_op
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
  transform.apply_licm to %h13 : !transform.any_op
  transform.loop.hoist_loop_invariant_subsets %h13 : !transform.any_op
  transform.apply_patterns to %func {
    transform.apply_patterns.linalg.fold_unit_extent_dims_via_slices
    transform.apply_patterns.linalg.tiling_canonicalization
    transform.apply_patterns.tensor.merge_consecutive_insert_extract_slice
    transform.apply_patterns.canonicalization
  } : !transform.any_op
  transform.apply_cse to %func : !transform.any_op
  transform.apply_dce to %func : !transform.any_op
  transform.loop.unroll %h13 {factor = 2} : !transform.any_op
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
