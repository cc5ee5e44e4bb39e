package search

import (
	"context"
	"math"

	"nestling/env"
)

// node is a state of an episode in the tree.
type node struct {
	episode  *env.Episode
	parent   *node
	priors   []float64 // of its options, by the policy; nil until it is expanded
	value    float64   // expected by the critic, above what the policy gets on average
	children []*node
	visits   int
	rewards  float64 // met below, their sum
	best     float64 // the largest of them, -∞ before the first
	loss     int     // simulations under way below
}

// exploration weighs what the policy thinks against what was measured; rewards are
// decimal logarithms.
const exploration = 0.3

// tree is Monte Carlo tree search: simulations walk down by what was measured and what
// the policy expects (PUCT: Silver et al. 2017), the critic stands in where nothing was,
// and each is played to its end by the policy. A state is as good as the best that was
// met below, for one schedule is wanted and not a policy.
func tree(ctx context.Context, t *trial) error {
	if t.Policy == nil {
		return sample(ctx, t)
	}
	root := &node{episode: t.space.NewEpisode(), best: math.Inf(-1)}
	for bored := 0; t.left() > 0 && bored < tedium; {
		leaves, episodes := t.simulate(root, min(batch/2, t.left()))
		before := len(t.tried)
		if err := t.measure(ctx, episodes); err != nil {
			return err
		}
		for i, leaf := range leaves {
			reward, known := t.of(episodes[i])
			leaf.learn(reward, known)
		}
		bored++
		if len(t.tried) > before {
			bored = 0
		}
	}
	return nil
}

// simulate walks down to n leaves and plays from each to the end.
func (t *trial) simulate(root *node, n int) (leaves []*node, episodes []*env.Episode) {
	for range n {
		leaf := root
		for leaf.priors != nil {
			leaf = leaf.step()
		}
		if !leaf.episode.Done() {
			p, v := t.Policy.Foresee([]*env.Episode{leaf.episode})
			leaf.priors, leaf.value = p[0], v[0]
			leaf.children = make([]*node, len(leaf.priors))
		}
		for up := leaf; up != nil; up = up.parent {
			up.loss++
		}
		leaves, episodes = append(leaves, leaf), append(episodes, leaf.episode.Clone())
	}
	t.finish(episodes)
	return leaves, episodes
}

// step goes to the child that promises most.
func (n *node) step() *node {
	chosen, most := 0, math.Inf(-1)
	for i, prior := range n.priors {
		q, visits := n.value+n.rewards/float64(max(1, n.visits)), 0
		if c := n.children[i]; c != nil {
			visits = c.visits + c.loss
			if c.visits > 0 {
				q = c.best
			}
		}
		score := q + exploration*prior*math.Sqrt(float64(1+n.visits+n.loss))/float64(1+visits)
		if score > most {
			chosen, most = i, score
		}
	}
	if n.children[chosen] == nil {
		n.children[chosen] = &node{episode: extended(n.episode, chosen), parent: n, best: math.Inf(-1)}
	}
	return n.children[chosen]
}

// learn takes a reward up to the root.
func (n *node) learn(reward float64, known bool) {
	for up := n; up != nil; up = up.parent {
		up.loss--
		up.visits++
		if known {
			up.best = max(up.best, reward)
			up.rewards += reward
		}
	}
}
