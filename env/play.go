package env

import (
	"fmt"
	"math/rand/v2"

	"nestling/schedule"
)

// Draw plays an episode to its end, each answer uniform over what is legal: the random
// policy that a trained one is compared with.
func (e *Episode) Draw(rng *rand.Rand) {
	for !e.Done() {
		if _, err := e.Answer(e.drawn(rng)); err != nil {
			panic("env: a legal answer is refused: " + err.Error())
		}
	}
}

// Repeat gives answers that were given before, in this place, to the same program. Any
// that is not possible is an error.
func (e *Episode) Repeat(answers []int) error {
	for _, answer := range answers {
		if _, err := e.Answer(answer); err != nil {
			return err
		}
	}
	return nil
}

// decide takes one action, each answer as choose gives it after so many answers, and
// returns it with what was seen. It ends at an error of choose, or of an answer that is not
// possible.
func (e *Episode) decide(choose func(answered int) (int, error)) (Step, error) {
	s := Step{Observation: e.Observe()}
	for acted := false; !acted; {
		answer, err := choose(len(s.Answers))
		if err != nil {
			return s, err
		}
		s.Questions, s.Answers = append(s.Questions, e.Question()), append(s.Answers, answer)
		if acted, err = e.Answer(answer); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Replay takes one action by the answers that were given before, and returns it with what
// was seen. Answers that are not possible here are an error.
func (e *Episode) Replay(answers []int) (Step, error) {
	s, err := e.replay(answers)
	if err == nil && len(s.Answers) < len(answers) {
		err = partial(answers)
	}
	return s, err
}

// Retrace plays an episode by answers that were given before to the same program, from the
// first to the last, and returns what was seen. Any that is not possible is an error.
func (e *Episode) Retrace(answers []int) ([]Step, error) {
	var steps []Step
	for len(answers) > 0 {
		s, err := e.replay(answers)
		if err != nil {
			return steps, err
		}
		steps, answers = append(steps, s), answers[len(s.Answers):]
	}
	return steps, nil
}

// replay takes one action by the first of some answers.
func (e *Episode) replay(answers []int) (Step, error) {
	if e.Done() {
		return Step{}, fmt.Errorf("there is more to replay than there was to decide")
	}
	return e.decide(func(n int) (int, error) {
		if n == len(answers) {
			return 0, partial(answers)
		}
		return answers[n], nil
	})
}

func partial(answers []int) error {
	return fmt.Errorf("%d answers do not make one action", len(answers))
}

// DrawAction takes one action, each answer uniform over what is legal, and returns it with
// what was seen. The episode must not be over.
func (e *Episode) DrawAction(rng *rand.Rand) Step {
	return e.draw(func(int) int { return e.drawn(rng) })
}

// draw takes one action whose answers are all possible.
func (e *Episode) draw(choose func(answered int) int) Step {
	s, err := e.decide(func(n int) (int, error) { return choose(n), nil })
	if err != nil {
		panic("env: a legal answer is refused: " + err.Error())
	}
	return s
}

// drawn is an answer to the open question, uniform over what is legal.
func (e *Episode) drawn(rng *rand.Rand) int { return rng.IntN(len(e.open.options)) }

// Vary takes an action that differs from a known one in one answer, which is drawn
// uniformly, and returns it with what was seen. The answers after that one stay as they
// were as far as they are possible. The episode must not be over.
func (e *Episode) Vary(answers []int, rng *rand.Rand) Step {
	changed := rng.IntN(len(answers))
	return e.draw(func(n int) int {
		options, answer := len(e.open.options), e.drawn(rng)
		switch {
		case n == changed:
			return (answers[n] + 1 + rng.IntN(options-1)) % options
		case n < len(answers) && answers[n] < options:
			return answers[n]
		}
		return answer
	})
}

// DrawRewrite makes a rewrite of the current operation, and returns it with what was
// seen: half of the time each that is offered as likely as any other, for most are of the
// kinds with many numbers to try, and half of the time each kind. Operations must still be
// being rewritten.
func (e *Episode) DrawRewrite(rng *rand.Rand) Step {
	offers := e.space.rewrites(e.stage, e.current)
	if rng.IntN(2) == 0 {
		kinds := byKind(offers)
		offers = kinds[rng.IntN(len(kinds))].offers
	}
	s, err := e.Take(offers[rng.IntN(len(offers))].action)
	if err != nil {
		panic("env: what is offered cannot be taken: " + err.Error())
	}
	return s
}

// GoOn leaves the current operation as its rewrites so far have made it, and returns that
// with what was seen. Operations must still be being rewritten.
func (e *Episode) GoOn() Step {
	s, err := e.Take(schedule.Action{Kind: goOn})
	if err != nil {
		panic("env: going on is always possible: " + err.Error())
	}
	return s
}
