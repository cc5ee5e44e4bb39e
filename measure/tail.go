package measure

import (
	"strings"
	"sync"
)

// tailBytes is how much of a worker's output is kept for its obituary.
const tailBytes = 8 << 10

// tail keeps the last of what a worker wrote to standard output and error.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write never fails: a worker must not block or die of what it prints.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-tailBytes):]...)
	if over := len(t.kept) - tailBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// lines returns the last n lines.
func (t *tail) lines(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := strings.Split(strings.TrimSpace(string(t.kept)), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}
