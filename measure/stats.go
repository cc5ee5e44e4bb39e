package measure

// Summary describes the samples of one method on one program, in the samples'
// own unit.
type Summary struct {
	Runs                        int // number of samples
	Median, Mean, Std, Min, Max float64
	// Low and High bound the median with 95 % confidence, by bootstrap over
	// processes: samples of one process are no independent witnesses.
	Low, High float64
	// Spread is the interquartile range over the median.
	Spread  float64
	Warning string // set when Spread passes 10 %, louder at 25 %
}

// Summarize takes the samples of each process. It panics without a sample.
func Summarize(processes [][]float64) Summary { return Summary{} }

// Difference compares two methods.
type Difference struct {
	Ratio       float64 // median of a over median of b
	Low, High   float64 // 95 % interval of Ratio, bootstrap over processes
	Significant bool    // the interval does not contain 1
}

// Compare takes the samples of each process of two methods.
func Compare(a, b [][]float64) Difference { return Difference{} }
