package agent

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"nestling/costmodel"
	"nestling/env"
	"nestling/policy"
	"nestling/program"
)

// Explanation tells how an agent came to its first choice for a program.
type Explanation struct {
	Decisions []Decision `json:"decisions"` // that make the schedule, in order
	Schedule  string     `json:"schedule"`
	// Instead is the schedule that is most probable by the policy alone, where it is another:
	// policy and cost model choose together.
	Instead string `json:"most_probable,omitempty"`
	// Preferred is by how much more promising the schedule is than Instead, by both together:
	// a difference of costmodel.Outlook.
	Preferred float64 `json:"above_most_probable,omitempty"`
}

// Decision is the answer to one question, with what else could have been answered.
type Decision struct {
	Question string   `json:"question"`
	Answer   Option   `json:"answer"`
	Others   []Option `json:"others"` // the most probable first
	// Advantage is by how much the critic expects the reward, the decimal logarithm of a
	// speedup, to be above the average of episodes on the program.
	Advantage float64 `json:"advantage"`
}

// Option is a possible answer and how probable the policy finds it.
type Option struct {
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
}

// Explain makes the agent's first choice for a program, decision by decision.
func (a *Agent) Explain(p *program.Program) Explanation {
	space := env.NewSpace(p, a.machine, a.rules)
	chosen := costmodel.First(a.policy, a.cost, space)
	x := Explanation{Schedule: chosen.Schedule().String(), Decisions: decisions(a.policy, space, chosen.Answers())}
	probable := costmodel.First(a.policy, nil, space)
	if instead := probable.Schedule().String(); instead != x.Schedule {
		x.Instead, x.Preferred = instead, a.promise(space, chosen)-a.promise(space, probable)
	}
	return x
}

// decisions are those that some answers of an episode are.
func decisions(p *policy.Policy, space *env.Space, answers []int) []Decision {
	var all []Decision
	e := space.NewEpisode()
	for _, answer := range answers {
		probabilities, values := p.Foresee([]*env.Episode{e})
		var options []Option
		for i, label := range e.Labels() {
			options = append(options, Option{label, probabilities[0][i]})
		}
		d := Decision{Question: e.Asked(), Answer: options[answer], Advantage: values[0]}
		d.Others = slices.Delete(options, answer, answer+1)
		slices.SortStableFunc(d.Others, func(a, b Option) int { return cmp.Compare(b.Probability, a.Probability) })
		all = append(all, d)
		if _, err := e.Answer(answer); err != nil {
			panic("agent: an answer is refused that was given before: " + err.Error())
		}
	}
	return all
}

// promise is what policy and cost model think of an episode that is over.
func (a *Agent) promise(space *env.Space, over *env.Episode) float64 {
	steps, err := space.NewEpisode().Retrace(over.Answers())
	if err != nil {
		panic("agent: an answer is refused that was given before: " + err.Error())
	}
	return costmodel.Outlook(a.policy, a.cost, steps, over)
}

// others is how many other answers the text of an explanation shows of each question.
const others = 4

// String is the explanation for people: a line for each decision, then the schedule.
func (x Explanation) String() string {
	var b strings.Builder
	for _, d := range x.Decisions {
		fmt.Fprintf(&b, "  %-34s %s", d.Question, d.Answer)
		for i, o := range d.Others[:min(others, len(d.Others))] {
			fmt.Fprintf(&b, "%s%s", []string{"; else ", ", "}[min(i, 1)], o)
		}
		fmt.Fprintf(&b, "  (advantage over the average %+.2f)\n", d.Advantage)
	}
	b.WriteString(strings.TrimSpace(x.Schedule) + "\n")
	if x.Instead != "" {
		fmt.Fprintf(&b, "  which policy and cost model together put %.2f above the most probable schedule:\n%s\n", x.Preferred, strings.TrimSpace(x.Instead))
	}
	return b.String()
}

// String is "whole 83 %".
func (o Option) String() string { return fmt.Sprintf("%s %.0f %%", o.Label, 100*o.Probability) }
