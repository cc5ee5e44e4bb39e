package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Parse reads the text form of a schedule: one operation per line, its name, a
// colon, and its actions; `#` starts a comment.
//
//	matmul0: TF(8,32,0) T(0,0,4) V
//	fill0: V
//
// Errors name the line. Whether the actions are legal is Check's business.
func Parse(text string) (Schedule, error) {
	var s Schedule
	line := 0
	for raw := range strings.Lines(text) {
		line++
		content, _, _ := strings.Cut(raw, "#")
		content = strings.TrimSpace(content)
		if content == "" {
			continue
		}
		op, err := parseOp(content)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if slices.ContainsFunc(s, func(o OpSchedule) bool { return o.Op == op.Op }) {
			return nil, fmt.Errorf("line %d: %s is scheduled twice; put all its actions on one line", line, op.Op)
		}
		s = append(s, op)
	}
	return s, nil
}

func parseOp(line string) (OpSchedule, error) {
	name, rest, found := strings.Cut(line, ":")
	name = strings.TrimSpace(name)
	if !found || name == "" || strings.ContainsAny(name, " \t()") {
		return OpSchedule{}, fmt.Errorf("%q is not of the form `operation: actions`, as in `matmul0: T(8,32,4) V`", line)
	}
	words, err := splitActions(rest)
	if err != nil {
		return OpSchedule{}, fmt.Errorf("%s: %w", name, err)
	}
	op := OpSchedule{Op: name}
	for _, w := range words {
		a, err := parseAction(w)
		if err != nil {
			return OpSchedule{}, fmt.Errorf("%s: %w", name, err)
		}
		op.Actions = append(op.Actions, a)
	}
	if len(op.Actions) == 0 {
		return OpSchedule{}, fmt.Errorf("%s: no actions; NT leaves an operation as it is", name)
	}
	return op, nil
}

// splitActions cuts at blanks outside parentheses, so that `T(8, 32)` is one word.
func splitActions(text string) ([]string, error) {
	var words []string
	depth, start := 0, 0
	for i, r := range text + " " {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case ' ', '\t':
			if depth == 0 && i > start {
				words = append(words, text[start:i])
			}
			if depth == 0 {
				start = i + 1
			}
		}
		if depth < 0 {
			return nil, errors.New("a parenthesis closes that was not opened")
		}
	}
	if depth > 0 {
		return nil, errors.New("a parenthesis is not closed")
	}
	return words, nil
}

func parseAction(word string) (Action, error) {
	name, arguments, hasArguments := strings.Cut(word, "(")
	kind := Kind(name)
	if !slices.Contains(Vocabulary, kind) {
		return Action{}, fmt.Errorf("no action %q; there are %v", word, Vocabulary)
	}
	if kind == Vectorize || kind == NoTransform || kind == FoldNorm {
		if hasArguments {
			return Action{}, fmt.Errorf("%s takes no numbers, got %q", kind, word)
		}
		return Action{Kind: kind}, nil
	}
	if !hasArguments || !strings.HasSuffix(arguments, ")") {
		return Action{}, fmt.Errorf("%s needs numbers, as in %s, got %q", kind, example(kind), word)
	}
	numbers, err := parseNumbers(strings.TrimSuffix(arguments, ")"))
	if err != nil {
		return Action{}, fmt.Errorf("%s: %w", word, err)
	}
	switch {
	case kind == Interchange:
		return Action{Kind: kind, Order: numbers}, nil
	case kind.tiles():
		return Action{Kind: kind, Sizes: numbers}, nil
	}
	return Action{Kind: kind, Args: numbers}, nil
}

// examples of actions whose numbers are not one per loop and in its order.
var examples = map[Kind]string{
	Interchange: "I(1,0,2)", Pack: "P(1)", Prefetch: "PF(0)", Unroll: "U(4)", Split: "S(1,32)", Layout: "L(1,0,2,1)",
	Cut: "C(0,96)", Parts: "R(0)", Winograd: "W(4,1,1)", WinogradChain: "WC(4,1)",
}

func example(k Kind) string {
	if known, ok := examples[k]; ok {
		return known
	}
	return string(k) + "(8,32,0)"
}

func parseNumbers(text string) ([]int, error) {
	var numbers []int
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is not a whole number of 0 or more", strings.TrimSpace(field))
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// String is the text form, which Parse reads back to the same schedule.
func (s Schedule) String() string {
	var b strings.Builder
	for _, op := range s {
		b.WriteString(op.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// String is one line of the text form, without the newline.
func (o OpSchedule) String() string {
	words := make([]string, len(o.Actions))
	for i, a := range o.Actions {
		words[i] = a.String()
	}
	return o.Op + ": " + strings.Join(words, " ")
}

// String is the action as the text form has it: "TF(8,32,0)".
func (a Action) String() string {
	switch {
	case a.Kind == Interchange:
		return string(a.Kind) + "(" + join(a.Order, ",") + ")"
	case a.Kind.tiles():
		return string(a.Kind) + "(" + join(a.Sizes, ",") + ")"
	case len(a.Args) > 0:
		return string(a.Kind) + "(" + join(a.Args, ",") + ")"
	}
	return string(a.Kind)
}

func join(numbers []int, separator string) string {
	words := make([]string, len(numbers))
	for i, n := range numbers {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, separator)
}
