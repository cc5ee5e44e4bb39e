package report

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// exampleCurves are of a policy that learns and one that does not.
func exampleCurves() (trained, random Curve) {
	rng := rand.New(rand.NewPCG(1, 2))
	trained.Name, random.Name = "trained policy", "random policy"
	for i := range 120 {
		level := 1.5 + 6*(1-math.Exp(-float64(i)/40)) + 0.3*rng.NormFloat64()
		appendPoint(&trained, i, level, 1+0.1*level)
		appendPoint(&random, i, 1.5+0.2*rng.NormFloat64(), 0.8)
	}
	return trained, random
}

func appendPoint(c *Curve, i int, middle, half float64) {
	c.Iterations, c.Middle = append(c.Iterations, float64(i)), append(c.Middle, middle)
	c.Low, c.High = append(c.Low, middle-half), append(c.High, middle+half)
}

func TestLearningCurve(t *testing.T) {
	trained, random := exampleCurves()
	path := filepath.Join(t.TempDir(), "curve.png")
	if err := LearningCurve(path, "title", "subtitle", "speedup", trained, random); err != nil {
		t.Fatal(err)
	}
	colours := pixels(t, path)
	for name, c := range map[string][3]uint32{"trained": {0, 0x72, 0xb2}, "random": {0xe6, 0x9f, 0}} {
		if colours[c] < 1000 {
			t.Errorf("%d pixels of the %s curve", colours[c], name)
		}
	}
	trained.Middle[3] = math.NaN()
	if err := LearningCurve(path, "title", "subtitle", "speedup", trained); err == nil {
		t.Error("a point that is not a number was drawn")
	}
}
