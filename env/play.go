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
		e.drawAnswer(rng)
	}
}

// drawAnswer answers the open question, uniformly.
func (e *Episode) drawAnswer(rng *rand.Rand) (answer int, acted bool) {
	answer = rng.IntN(len(e.open.options))
	acted, err := e.Answer(answer)
	if err != nil {
		panic("env: a legal answer is refused: " + err.Error())
	}
	return answer, acted
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

// Replay takes one action by the answers that were given before, and returns it with what
// was seen. Answers that are not possible here are an error.
func (e *Episode) Replay(answers []int) (Step, error) {
	if e.Done() {
		return Step{}, fmt.Errorf("there is more to replay than there was to decide")
	}
	s := Step{Observation: e.Observe(), Answers: answers}
	for i, answer := range answers {
		s.Questions = append(s.Questions, e.Question())
		acted, err := e.Answer(answer)
		if err != nil {
			return s, err
		}
		if acted != (i == len(answers)-1) {
			return s, fmt.Errorf("%d answers do not make one action", len(answers))
		}
	}
	return s, nil
}

// DrawAction takes one action, each answer uniform over what is legal, and returns it with
// what was seen. The episode must not be over.
func (e *Episode) DrawAction(rng *rand.Rand) Step {
	s := Step{Observation: e.Observe()}
	for acted := false; !acted; {
		s.Questions = append(s.Questions, e.Question())
		var answer int
		answer, acted = e.drawAnswer(rng)
		s.Answers = append(s.Answers, answer)
	}
	return s
}

// Vary takes an action that differs from a known one in one answer, which is drawn
// uniformly, and returns it with what was seen. The answers after that one stay as they
// were as far as they are possible. The episode must not be over.
func (e *Episode) Vary(answers []int, rng *rand.Rand) Step {
	s := Step{Observation: e.Observe()}
	changed := rng.IntN(len(answers))
	for acted := false; !acted; {
		s.Questions = append(s.Questions, e.Question())
		n, options := len(s.Answers), len(e.open.options)
		answer := rng.IntN(options)
		switch {
		case n == changed && n < len(answers):
			answer = (answers[n] + 1 + rng.IntN(options-1)) % options
		case n < len(answers) && answers[n] < options:
			answer = answers[n]
		}
		var err error
		if acted, err = e.Answer(answer); err != nil {
			panic("env: a legal answer is refused: " + err.Error())
		}
		s.Answers = append(s.Answers, answer)
	}
	return s
}

// DrawRewrite makes a rewrite of the current operation, each that is offered as likely as
// any other whatever its kind, and returns it with what was seen. Operations must still
// be being rewritten.
func (e *Episode) DrawRewrite(rng *rand.Rand) Step {
	offers := e.space.rewrites(e.stage, e.current, e.made)
	s, err := e.take(offers[rng.IntN(len(offers))].action)
	if err != nil {
		panic("env: what is offered cannot be taken: " + err.Error())
	}
	return s
}

// GoOn leaves the current operation as its rewrites so far have made it, and returns that
// with what was seen. Operations must still be being rewritten.
func (e *Episode) GoOn() Step {
	s, err := e.take(schedule.Action{Kind: goOn})
	if err != nil {
		panic("env: going on is always possible: " + err.Error())
	}
	return s
}
