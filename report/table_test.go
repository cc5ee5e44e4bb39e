package report

import "testing"

func TestSignificantDigits(t *testing.T) {
	for _, test := range []struct {
		v      float64
		digits int
		want   string
	}{
		{0.00491, 4, "0.004910"}, {0.5, 3, "0.500"}, {1, 3, "1.00"}, {9.996, 3, "10.0"}, {9.994, 3, "9.99"}, {12.34, 3, "12.3"},
		{999.6, 3, "1000"}, {123456, 3, "123456"}, {0.01, 3, "0.0100"}, {0, 3, "0.00"},
	} {
		if got := significant(test.v, test.digits); got != test.want {
			t.Errorf("%g to %d digits: %s, want %s", test.v, test.digits, got, test.want)
		}
	}
}
