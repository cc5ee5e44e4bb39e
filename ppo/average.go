package ppo

import (
	"path/filepath"

	"nestling/nn"
	"nestling/policy"
	"nestling/results"
)

// averaging lets the weights that a run is judged and used by follow the learner's: a
// running mean over iterations. A few updates can turn a first choice over and the next
// ones turn it back; the mean of both is better than either (Polyak and Juditsky 1992).
func (t *trainer) averaging() {
	n := float64(t.state.Iteration)
	nn.Approach(t.mean.Parameters(), t.agent.Parameters(), max(1-t.Config.Averaging, 1/(n+1))) // a plain mean at first
}

// saveLearner writes the weights that learning goes on from.
func (t *trainer) saveLearner(dir string) error {
	return nn.SaveParameters(filepath.Join(dir, results.LearnerFile), t.agent.Parameters())
}

// loadLearner makes the policy that learning goes on with.
func (t *trainer) loadLearner(c *Checkpoint) error {
	if err := c.verify(results.LearnerFile); err != nil {
		return err
	}
	agent, err := policy.New(c.State.Model, c.State.Policy, newRand(0))
	if err != nil {
		return err
	}
	t.agent = agent
	return nn.LoadParameters(filepath.Join(c.Dir, results.LearnerFile), agent.Parameters())
}
