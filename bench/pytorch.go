package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nestling/baseline"
	"nestling/results"
)

// PyTorch is one of PyTorch's ways to run a model, in processes of the user's
// own Python.
type PyTorch struct {
	name    string
	options baseline.Options
	process *baseline.Process
	info    baseline.Info
	prepare map[string]time.Duration // by benchmark: what was done ahead of time
}

// NewPyTorch makes the contestant; the process of each round is started by Open.
func NewPyTorch(o baseline.Options) *PyTorch {
	name := map[baseline.Method]string{
		baseline.Eager:        results.PyTorchDefault,
		baseline.ChannelsLast: results.PyTorchChannelsLast,
		baseline.JIT:          results.PyTorchJIT,
		baseline.Compile:      results.PyTorchCompile,
	}[o.Method]
	return &PyTorch{name: name, options: o, prepare: map[string]time.Duration{}}
}

// Name as in results.Methods, or what Named made it.
func (p *PyTorch) Name() string { return p.name }

// Named gives the contestant another name: several versions of PyTorch may take
// turns.
func (p *PyTorch) Named(name string) *PyTorch {
	p.name = name
	return p
}

// Launch starts a fresh Python process as far as that may happen beside others.
// Open tells what went wrong.
func (p *PyTorch) Launch(ctx context.Context) {
	if process, err := baseline.Launch(ctx, p.options); err == nil {
		p.process = process
	}
}

// Open makes the launched process ready, or starts one.
func (p *PyTorch) Open(ctx context.Context) (err error) {
	if p.process == nil {
		if p.process, err = baseline.Launch(ctx, p.options); err != nil {
			return err
		}
	}
	if err := p.process.Begin(ctx); err != nil {
		return errors.Join(err, p.Close())
	}
	p.info = p.process.Info()
	return nil
}

// Turn loads a benchmark and times it. A process that failed may be gone, or in
// no state to trust: the next turn has a new one.
func (p *PyTorch) Turn(ctx context.Context, c *Case, runs int) (Turn, error) {
	if p.process == nil {
		if err := p.Open(ctx); err != nil {
			return Turn{}, err
		}
	}
	t, err := p.turn(ctx, c, runs)
	if err != nil {
		err = errors.Join(err, p.Close())
	}
	return t, err
}

func (p *PyTorch) turn(ctx context.Context, c *Case, runs int) (Turn, error) {
	prepare, err := p.process.Load(ctx, c.Benchmark, c.Inputs)
	if err != nil {
		return Turn{}, err
	}
	p.prepare[c.Name] = prepare
	m, err := p.process.Run(ctx, warmup, runs)
	if err != nil {
		return Turn{}, err
	}
	output, err := p.process.Outputs(ctx)
	if err != nil {
		return Turn{}, err
	}
	if m.CPUOverWall > float64(p.options.Threads)+threadSlack {
		return Turn{}, fmt.Errorf("PyTorch kept %.1f cores busy; %d threads were asked for", m.CPUOverWall, p.options.Threads)
	}
	return Turn{Nanoseconds: m.Nanoseconds, Outputs: [][]float32{output}}, nil
}

// Close ends the process, if there is one.
func (p *PyTorch) Close() error {
	if p.process == nil {
		return nil
	}
	defer func() { p.process = nil }()
	return p.process.Close()
}

// Describe adds versions and the time of work done ahead.
func (p *PyTorch) Describe(c *Case, e *results.Entry) {
	e.Versions.Torch, e.Versions.Python, e.Versions.BLAS = p.info.Torch, p.info.Python, p.info.BLAS
	e.PrepareMS = p.prepare[c.Name].Seconds() * 1e3
}
