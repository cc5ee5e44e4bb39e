package measure

import (
	"sync"

	"nestling/codegen"
)

// objects are what was compiled of late, for what is measured again need not be compiled
// again. It is safe for concurrent use; its zero value is empty.
type objects struct {
	mu    sync.Mutex
	known map[identity]*codegen.Result
	bytes int
}

// identity is which code a candidate is; the laboratory's threads and target are its own.
type identity struct{ program, schedule string }

func (j *job) identity() identity { return identity{j.Program.Hash, j.text} }

// maxObjectBytes is how much object code is kept: some thousand candidates.
const maxObjectBytes = 128 << 20

// get returns nil for what is not there.
func (o *objects) get(id identity) *codegen.Result {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.known[id]
}

// put keeps a result. When there are too many all others go: those of long ago are hardly
// ever asked for.
func (o *objects) put(id identity, r *codegen.Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil || o.bytes > maxObjectBytes {
		o.known, o.bytes = map[identity]*codegen.Result{}, 0
	}
	o.known[id] = r
	o.bytes += len(r.Object)
}
