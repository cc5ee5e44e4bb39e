package suite

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
)

// TestGraphs looks at what a user of PyTorch would not write as the operations are written:
// layers that are given their bias, what may be overwritten, what is scaled.
func TestGraphs(t *testing.T) {
	c := convolution{2, 3, 4, 5, 6, window{3, 1, 1, 1}}
	for _, tc := range []struct {
		name, want string
		write      func(*writer) value
	}{
		{"a bias is an argument of the convolution", "F.conv2d(x, weight, bias) torch.relu_(#0)", func(w *writer) value {
			y := w.plainConv("nchw", w.input("x", c.input("nchw")...), c)
			return w.relu(w.addBias(y, w.weight("bias", c.out)))
		}},
		{"a bias is an argument of the product", "torch.addmm(bias, a, b)", func(w *writer) value {
			return w.addBias(w.product(w.input("a", 4, 5), w.input("b", 5, 6)), w.weight("bias", 6))
		}},
		{"nothing is written over an argument", "torch.relu(x) torch.Tensor.add_(#0, x) torch.sigmoid(#1)", func(w *writer) value {
			x := w.input("x", 4, 5)
			return w.sigmoid(w.add(w.relu(x), x))
		}},
		{"nor over what is read again", "torch.exp(x) torch.relu(#0) torch.mul(#1, #0)", func(w *writer) value {
			y := w.exp(w.input("x", 4, 5))
			return w.multiply(w.relu(y), y)
		}},
		{"nor over a view of an argument", "torch.permute(x) torch.Tensor.contiguous(#0) torch.relu(#1)", func(w *writer) value {
			return w.relu(w.reorder(w.input("x", 4, 5), 1, 0))
		}},
		{"queries are scaled", "torch.mul(q) torch.transpose(k) torch.bmm(#0, #1) torch.softmax(#2) torch.bmm(#3, v)", func(w *writer) value {
			return w.attention(w.input("q", 2, 3, 4), w.input("k", 2, 5, 4), w.input("v", 2, 5, 4))
		}},
	} {
		w := newWriter("graph")
		w.result(tc.write(w))
		if got := calls(w.graph()); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
}

// calls writes layers with #i for what the i-th call makes.
func calls(g *Graph) string {
	var all []string
	names := map[string]string{}
	for i, l := range g.Layers {
		names[l.Output] = fmt.Sprintf("#%d", i)
		var inputs []string
		for _, input := range l.Inputs {
			inputs = append(inputs, cmp.Or(names[input], input))
		}
		all = append(all, fmt.Sprintf("%s(%s)", l.Op, strings.Join(inputs, ", ")))
	}
	return strings.Join(all, " ")
}

// TestNoGraph of what holds an operation that is no layer.
func TestNoGraph(t *testing.T) {
	w := newWriter("unknown")
	x := w.input("x", 4, 5)
	w.result(w.relu(w.named("tanh", "", []value{x}, w.empty(x.shape))))
	if g := w.graph(); g != nil {
		t.Errorf("got %v", g)
	}
}
