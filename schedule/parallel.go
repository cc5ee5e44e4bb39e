package schedule

// ParallelPays is the time, in nanoseconds on one thread, from which a parallel loop is worth a
// parallel region, and code generation makes one: to open and close it costs some microseconds,
// and some tens of them where a thread that sleeps has to be woken.
const ParallelPays = 60e3

// Rough costs by which that time is estimated, in nanoseconds of a core with wide vectors.
const (
	ScalarCost      = 0.5
	VectorCost      = 1.0 / 32  // per element
	SimpleCost      = 1.0 / 128 // per element added, multiplied or compared
	ContractionCost = 1.0 / 64  // per multiply-add
	VectorizedShare = 1.0 / 8   // of the cost of scalars that LLVM makes vectors of
)
