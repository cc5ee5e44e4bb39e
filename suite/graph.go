package suite

import (
	"slices"
	"strings"
)

// Graph is a program as a user of PyTorch writes it: calls of layers, one after the
// other. Programs are set beside PyTorch eager by it, so where there are several ways to
// write one, it is the one that suits PyTorch.
type Graph struct {
	Args []Arg // of the program's function
	// Held tells of some arguments, by name, how a user of PyTorch has them, who lays
	// out what a model is given and what it keeps before anything is timed.
	Held   map[string]Held
	Layers []Layer
	Output string // the name of the result
	Result []int  // its shape in the program
	// Order is which of PyTorch's dimensions each dimension of the program's result is;
	// nil where they are the same. The layers leave images in channels-last format, as
	// channels-last layers do: it is the program's order in memory, so nothing moves.
	Order []int
}

// Held is an argument as PyTorch's layers take it: its dimensions permuted, and then its
// shape changed; nil for what stays. What is permuted and keeps four dimensions is in
// channels-last memory format.
type Held struct {
	Permutation []int `json:"permutation,omitempty"`
	Shape       []int `json:"shape,omitempty"`
}

// Layer is one call: Output = Op(Inputs…, Attributes…).
type Layer struct {
	Op         string         `json:"op"` // name in Python, where F is torch.nn.functional
	Inputs     []string       `json:"inputs"`
	Attributes map[string]any `json:"attributes,omitempty"` // arguments by keyword, no tensors
	Output     string         `json:"output"`
}

// attributes are those of a Layer.
type attributes = map[string]any

// layer records that a function of PyTorch makes out of ins, and returns out. Where it does
// the work of several operations, it is recorded for the result of the last: what was
// recorded for that one before is replaced, and what is for the others, never asked for.
func (w *writer) layer(out value, op string, a attributes, ins ...value) value {
	var inputs []string
	for _, v := range ins {
		inputs = append(inputs, v.plain())
	}
	w.layers[out.plain()] = Layer{op, inputs, a, out.plain()}
	return out
}

// plain is the value's name in Python.
func (v value) plain() string { return strings.TrimPrefix(v.name, "%") }

// between is a value of PyTorch's on the way to v that no operation of MLIR makes.
func (v value) between(suffix string) value { return value{name: v.name + suffix} }

// hold notes how PyTorch has an argument; what layers made needs no such note.
func (w *writer) hold(v value, h Held) {
	if w.isArg(v.plain()) {
		w.held[v.plain()] = h
	}
}

func (w *writer) isArg(name string) bool {
	return slices.ContainsFunc(w.args, func(a Arg) bool { return a.Name == name })
}

// holdImage notes the layout of images. Channels-last is how PyTorch's users have NHWC:
// dimensions in the order of NCHW, elements in memory in that of NHWC.
func (w *writer) holdImage(layout string, x value) {
	if layout == "nhwc" {
		w.hold(x, Held{Permutation: []int{0, 3, 1, 2}})
		w.order = []int{0, 2, 3, 1}
	}
}

// holdKernel brings the weights of a convolution into PyTorch's order; one kernel per
// channel is a group of its own.
func (w *writer) holdKernel(layout string, weight value) {
	s := weight.shape
	switch {
	case len(s) == 4 && layout == "nhwc":
		w.hold(weight, Held{Permutation: []int{3, 2, 0, 1}})
	case len(s) == 3 && layout == "nhwc":
		w.hold(weight, Held{[]int{2, 0, 1}, []int{s[2], 1, s[0], s[1]}})
	case len(s) == 3:
		w.hold(weight, Held{Shape: []int{s[0], 1, s[1], s[2]}})
	}
}

// convolved records a convolution of an image with a weight, and perhaps a bias.
func (w *writer) convolved(out value, layout string, win window, ins ...value) value {
	w.holdImage(layout, ins[0])
	w.holdKernel(layout, ins[1])
	groups := 1
	if len(ins[1].shape) == 3 {
		groups = ins[1].shape[strings.Index(strings.TrimPrefix(layout, "n"), "c")]
	}
	return w.layer(out, "F.conv2d", attributes{"stride": win.stride, "padding": win.padding, "dilation": win.dilation, "groups": groups}, ins...)
}

// pooled records a pooling.
func (w *writer) pooled(out value, op, layout string, win window, x value) value {
	w.holdImage(layout, x)
	return w.layer(out, op, attributes{"kernel_size": win.kernel, "stride": win.stride, "padding": win.padding}, x)
}

// timesTransposed records a·bᵀ of batches of matrices.
func (w *writer) timesTransposed(out, a, b value) value {
	turned := w.layer(out.between("b"), "torch.transpose", attributes{"dim0": 1, "dim1": 2}, b)
	return w.layer(out, "torch.bmm", nil, a, turned)
}

// biased records a bias along dimension 1. Layers that take one are given it.
func (w *writer) biased(out, x, bias value) value {
	l := w.layers[x.plain()]
	switch {
	case (l.Op == "F.conv2d" || l.Op == "F.linear") && len(l.Inputs) == 2:
		w.layers[out.plain()] = Layer{l.Op, append(slices.Clone(l.Inputs), bias.plain()), l.Attributes, out.plain()}
		return out
	case l.Op == "torch.matmul":
		w.layers[out.plain()] = Layer{"torch.addmm", append([]string{bias.plain()}, l.Inputs...), nil, out.plain()}
		return out
	}
	if len(x.shape) == 4 {
		w.hold(bias, Held{Shape: []int{x.shape[1], 1, 1}})
	}
	return w.layer(out, "torch.add", nil, x, bias)
}

// graph is the program in PyTorch's terms: what the result is made of. It is nil where an
// operation was recorded by no layer.
func (w *writer) graph() *Graph {
	g := &Graph{Args: w.args, Held: w.held, Output: w.returned.plain(), Result: w.returned.shape, Order: w.order}
	if !w.reach(g, g.Output, map[string]bool{}) {
		return nil
	}
	g.overwrite()
	return g
}

// reach adds the layer that makes a value, after those that make its inputs.
func (w *writer) reach(g *Graph, name string, done map[string]bool) bool {
	if done[name] || w.isArg(name) {
		return true
	}
	l, known := w.layers[name]
	if !known {
		return false
	}
	for _, input := range l.Inputs {
		if !w.reach(g, input, done) {
			return false
		}
	}
	done[name] = true
	g.Layers = append(g.Layers, l)
	return true
}

// overwriting are the functions that torchvision's models let write over their input.
var overwriting = map[string]string{"torch.relu": "torch.relu_", "torch.add": "torch.Tensor.add_"}

// moving are functions whose result may share memory with their input.
var moving = []string{"torch.permute", "torch.transpose", "torch.Tensor.contiguous"}

// overwrite lets layers write over an input that another layer made for them alone: on a
// CPU, fresh memory costs PyTorch more than the work of such layers.
func (g *Graph) overwrite() {
	uses, own := map[string]int{}, map[string]bool{}
	for _, l := range g.Layers {
		for _, input := range l.Inputs {
			uses[input]++
		}
		own[l.Output] = !slices.Contains(moving, l.Op)
	}
	for i, l := range g.Layers {
		if op, can := overwriting[l.Op]; can && own[l.Inputs[0]] && uses[l.Inputs[0]] == 1 {
			g.Layers[i].Op = op
		}
	}
}
