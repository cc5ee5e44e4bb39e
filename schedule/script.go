package schedule

// Options say what the script is for.
type Options struct {
	Threads int // of the code; 1 or more
}

// Machine is what the rules of Default look at.
type Machine struct {
	Threads     int
	VectorLanes int // float32 in one vector register
}
