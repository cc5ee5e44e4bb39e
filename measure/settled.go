package measure

import "nestling/stats"

const (
	// settledShare of the peak is what a settled machine gives: two threads on one core have
	// half of it, and what the probe differs by otherwise is less than a tenth.
	settledShare = 0.8
	// forgetting is how fast a peak that is not reached any more is forgotten: what was waited
	// for in vain twenty times is a machine that has become slower.
	forgetting = 0.99
)

// maxUnsettled is how many processes of a job that waited in vain are replaced.
const maxUnsettled = 2

// doubtful tells an outcome that was to have the whole machine and did not; what was given up
// early has not waited for it.
func (l *Lab) doubtful(p Plan, o Outcome) bool {
	return p.Settled && o.Status == OK && len(o.Samples) == p.Samples && !l.settled(o.Probe)
}

// settled tells whether the machine gave what it can beside a candidate.
func (l *Lab) settled(probes []float64) bool { return stats.Median(probes) >= settledShare*l.peak }

// learnPeak remembers what the peak loop has reached beside a candidate.
func (l *Lab) learnPeak(probes []float64) {
	if !l.settled(probes) {
		l.peak *= forgetting
	}
	l.peak = max(l.peak, stats.Median(probes))
}
