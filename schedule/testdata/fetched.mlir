module attributes {transform.with_named_sequence} {
transform.named_sequence @tensor_seq(%module: !transform.any_op {transform.readonly}) {
  %func = transform.structured.match ops{["func.func"]} in %module : (!transform.any_op) -> !transform.any_op
  %h1 = transform.structured.match attributes{nestling.op = "generic0"} in %module : (!transform.any_op) -> !transform.any_op
  %h3, %h2 = transform.structured.tile_using_forall %h1 tile_sizes [64, 64] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %h4, %h5, %h6 = transform.structured.tile_using_for %h3 tile_sizes [16, 16] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
  transform.apply_patterns to %func {
    transform.apply_patterns.linalg.fold_unit_extent_dims_via_slices
  } : !transform.any_op
  transform.structured.vectorize %h4 : !transform.any_op
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
  transform.apply_patterns to %func {
    transform.apply_patterns.linalg.fold_unit_extent_dims_via_slices
    transform.apply_patterns.linalg.tiling_canonicalization
    transform.apply_patterns.tensor.merge_consecutive_insert_extract_slice
    transform.apply_patterns.canonicalization
  } : !transform.any_op
  transform.apply_cse to %func : !transform.any_op
  transform.annotate %h6 "nestling.prefetch0" : !transform.any_op
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
