package search

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"nestling/costmodel"
	"nestling/env"
)

// batch is how many schedules are tried at once: enough to keep compilers busy.
const batch = 16

// tedium ends a search that finds nothing new in so many batches.
const tedium = 8

// sample draws whole schedules from the policy.
func sample(ctx context.Context, t *trial) error {
	return t.propose(ctx, func() *env.Episode { return t.space.NewEpisode() })
}

// proposals is how many schedules are proposed for one that is measured, where a cost model
// tells which are promising. With 48 trials on 12 validation programs the speedups found were
// 1.58 times those of the default schedules with 4 and with 8, 1.64 with 16.
const proposals = 16

// propose finishes what begin starts, in batches, until the budget is used up.
func (t *trial) propose(ctx context.Context, begin func() *env.Episode) error {
	for bored := 0; t.left() > 0 && bored < tedium; {
		n := min(batch, t.left())
		episodes := make([]*env.Episode, n)
		if t.Cost != nil {
			episodes = make([]*env.Episode, n*proposals)
		}
		for i := range episodes {
			episodes[i] = begin()
		}
		t.finish(episodes)
		if t.Cost != nil {
			episodes = t.promising(episodes, n)
		}
		before := len(t.tried)
		if err := t.measure(ctx, episodes); err != nil {
			return err
		}
		bored++
		if len(t.tried) > before {
			bored = 0
		}
	}
	return nil
}

// promising are at most n of some finished episodes that were not tried before, all
// different: those that the cost model and the policy find the most promising.
func (t *trial) promising(episodes []*env.Episode, n int) []*env.Episode {
	var fresh []*env.Episode
	seen := map[string]bool{}
	for _, e := range episodes {
		text := e.Schedule().String()
		if _, tried := t.seen[text]; !tried && !seen[text] {
			seen[text] = true
			fresh = append(fresh, e)
		}
	}
	if len(fresh) > n {
		t.rank(fresh)
	}
	return fresh[:min(n, len(fresh))]
}

// rank sorts finished episodes by what the cost model and the policy think of them, the
// most promising first.
func (t *trial) rank(episodes []*env.Episode) {
	of, likely := make([]costmodel.Features, len(episodes)), make([]float64, len(episodes))
	for i, e := range episodes {
		steps := t.retrace(e.Answers())
		of[i] = costmodel.Describe(steps, episodes[i])
		if t.Policy != nil {
			likely[i] = t.Policy.LogProb(steps)
		}
	}
	scores := map[*env.Episode]float64{}
	for i, s := range t.Cost.Scores(of) {
		scores[episodes[i]] = costmodel.Promise(s, likely[i])
	}
	slices.SortStableFunc(episodes, func(a, b *env.Episode) int { return cmp.Compare(scores[b], scores[a]) })
}

// refine draws some schedules and then goes back into the fastest: keeps their first
// answers, up to a random one, and draws the rest anew.
func refine(ctx context.Context, t *trial) error {
	return t.descend(ctx, func(parent attempt) *env.Episode { return t.back(parent.answers) })
}

// evolve is refine that goes back into the fastest in other ways, too: it changes one answer,
// or, where operations can be rewritten, keeps their loops and rewrites one in another way.
func evolve(ctx context.Context, t *trial) error {
	return t.descend(ctx, func(parent attempt) *env.Episode {
		e := t.space.NewEpisode()
		ways := 2
		if e.Rewriting() {
			ways = 3
		}
		switch t.rng.IntN(ways) {
		case 0:
			return t.back(parent.answers)
		case 1:
			return t.vary(parent)
		}
		e.Rearrange(parent.schedule, t.rng)
		return e
	})
}

// vary is an episode that was played with one answer changed.
func (t *trial) vary(parent attempt) *env.Episode {
	e := t.space.NewEpisode()
	e.Neighbour(parent.schedule, t.retrace(parent.answers), t.rng)
	return e
}

// retrace is what was seen and done in an episode that was played.
func (t *trial) retrace(answers []int) []env.Step {
	steps, err := t.space.NewEpisode().Retrace(answers)
	if err != nil {
		panic("search: answers that were possible are not: " + err.Error())
	}
	return steps
}

// descend draws some schedules and then begins others from the fastest.
func (t *trial) descend(ctx context.Context, begin func(parent attempt) *env.Episode) error {
	const parents, fresh = 4, 4 // of the fastest; one in so many is drawn from the start
	first := max(1, t.left()/4)
	return t.propose(ctx, func() *env.Episode {
		ranked := t.best(parents)
		if t.young(first) || len(ranked) == 0 || t.rng.IntN(fresh) == 0 {
			return t.space.NewEpisode()
		}
		return begin(ranked[t.rng.IntN(len(ranked))])
	})
}

// young tells whether a search is still in its first quarter, of its time or of its trials;
// first is how many of those are.
func (t *trial) young(first int) bool {
	return len(t.tried) < first && (t.Budget.Time <= 0 || time.Since(t.start) < t.Budget.Time/4)
}

// back is an episode that was begun with some of the answers, and went another way then.
func (t *trial) back(answers []int) *env.Episode {
	e := t.space.NewEpisode()
	if len(answers) == 0 {
		return e
	}
	if err := e.Repeat(answers[:t.rng.IntN(len(answers))]); err != nil {
		panic("search: answers that were possible are not: " + err.Error())
	}
	return e
}

// widest is how many beginnings a beam keeps at most: after each answer the policy is asked
// about all of them.
const widest = 256

// beginning is an episode under way with the logarithm of its probability.
type beginning struct {
	episode *env.Episode
	logProb float64
}

// beam keeps the most probable beginnings, and measures what they end in as they end: when
// the time is up, that much is known.
func beam(ctx context.Context, t *trial) error {
	if t.Policy == nil {
		return sample(ctx, t)
	}
	width := min(widest, t.left())
	kept := []beginning{{t.space.NewEpisode(), 0}}
	var ended []*env.Episode
	for len(kept) > 0 && len(ended) < t.left() {
		if err := ctx.Err(); err != nil {
			return err
		}
		var done []*env.Episode
		kept, done = t.extend(kept, width)
		for ended = append(ended, done...); len(ended) >= batch; ended = ended[batch:] {
			if err := t.measure(ctx, ended[:batch]); err != nil {
				return err
			}
		}
	}
	return t.measure(ctx, ended)
}

// extend gives beginnings one more answer, and keeps the most probable, no more than width:
// those that go on, and those that it ends.
func (t *trial) extend(beginnings []beginning, width int) (open []beginning, ended []*env.Episode) {
	type extension struct {
		of      *env.Episode
		answer  int
		logProb float64
	}
	var episodes []*env.Episode
	for _, b := range beginnings {
		episodes = append(episodes, b.episode)
	}
	probabilities, _ := t.Policy.Foresee(episodes)
	var next []extension
	for i, b := range beginnings {
		for answer, p := range probabilities[i] {
			next = append(next, extension{b.episode, answer, b.logProb + math.Log(p)})
		}
	}
	slices.SortStableFunc(next, func(a, b extension) int { return cmp.Compare(b.logProb, a.logProb) })
	for _, n := range next[:min(width, len(next))] {
		if e := extended(n.of, n.answer); e.Done() {
			ended = append(ended, e)
		} else {
			open = append(open, beginning{e, n.logProb})
		}
	}
	return open, ended
}

// extended is an episode with one more answer.
func extended(e *env.Episode, answer int) *env.Episode {
	next := e.Clone()
	if _, err := next.Answer(answer); err != nil {
		panic("search: an option is refused: " + err.Error())
	}
	return next
}
