package report

import (
	"testing"

	"nestling/eval"
)

func TestEvaluationGolden(t *testing.T) {
	rows := []*eval.Row{
		{Name: "test_conv_0", Family: "conv", DefaultMS: 1.25, Share: 0.95, Speedups: map[string]float64{eval.Unscheduled: 0.05, eval.Greedy: 1.9, eval.Search: 2, eval.Untrained: 1.1, eval.Random: 0.9}},
		{Name: "test_conv_1", Family: "conv", DefaultMS: 12.5, Share: 1, Speedups: map[string]float64{eval.Greedy: 1.5, eval.Search: 1.5, eval.Untrained: 0.4}, Failures: map[string]string{eval.Random: "crash: SIGSEGV"}},
		{Name: "test_matmul_2", Family: "matmul", DefaultMS: 0.0125, Share: 0.5, Speedups: map[string]float64{eval.Unscheduled: 0.2, eval.Greedy: 0.5, eval.Search: 1.01, eval.Untrained: 0.7, eval.Random: 0.6}},
	}
	golden(t, "evaluation.txt", tableText(t, Evaluation(&eval.Report{Programs: rows, Trials: 50}), false))
}

// What failed or was not asked is out of a mean, of a comparison with it too, and the table
// tells how many programs are left.
func TestEvaluationOfFailuresGolden(t *testing.T) {
	rows := []*eval.Row{
		{Name: "matmul_small", DefaultMS: 0.15, Share: 1.02 / 1.04, Speedups: map[string]float64{eval.Eager: 0.8, eval.Unscheduled: 0.01, eval.Reference: 1, eval.Greedy: 1.02, eval.Search: 1.04}},
		{Name: "conv2d_small", DefaultMS: 0.7, Speedups: map[string]float64{eval.Eager: 1.2, eval.Reference: 3.6, eval.Search: 3.5}, Failures: map[string]string{eval.Greedy: "wrong: off by one"}},
		{Name: "conv2d_large", DefaultMS: 160, Share: 0.95, Speedups: map[string]float64{eval.Reference: 4, eval.Greedy: 3.8}, Failures: map[string]string{eval.Eager: "out of memory", eval.Search: "crash: SIGSEGV"}},
		{Name: "linear_small", Failures: map[string]string{eval.Default: "timeout: 2s"}},
	}
	golden(t, "evaluation_failures.txt", tableText(t, Evaluation(&eval.Report{Programs: rows, Trials: 64}), false))
}

// Other agents have columns of their own, and are held against.
func TestEvaluationBesideARivalGolden(t *testing.T) {
	rival := eval.Rival{Name: "paper"}
	rows := []*eval.Row{
		{Name: "a", DefaultMS: 1, Share: 0.75, Speedups: map[string]float64{eval.Greedy: 1.5, eval.Search: 2, rival.Greedy(): 0.5, rival.Search(): 1}},
		{Name: "b", DefaultMS: 1, Share: 1, Speedups: map[string]float64{eval.Greedy: 2, eval.Search: 2, rival.Search(): 1}, Failures: map[string]string{rival.Greedy(): "timeout"}},
	}
	golden(t, "evaluation_rival.txt", tableText(t, Evaluation(&eval.Report{Programs: rows, Trials: 256, Others: 50}), false))
}
