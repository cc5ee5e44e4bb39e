package optimize

import (
	"errors"
	"strings"
	"testing"

	"nestling/results"
	"nestling/schedule"
)

func TestPick(t *testing.T) {
	fast := func(name string) results.Entry { return results.NewEntry(name, "p", [][]float64{{1}}) }
	slow := func(name string) results.Entry { return results.NewEntry(name, "p", [][]float64{{2}}) }
	failed := func(name string) results.Entry { return results.NewFailure(name, "p", errors.New("wrong")) }
	for _, c := range []struct {
		name             string
		byDefault, agent results.Entry
		want             string
	}{
		{"the agent's is faster", slow(Default), fast(Agent), Agent},
		{"the default one is faster", fast(Default), slow(Agent), Default},
		{"equal", fast(Default), fast(Agent), Agent},
		{"the agent's failed", slow(Default), failed(Agent), Default},
		{"the default one failed", failed(Default), slow(Agent), Agent},
	} {
		got, err := pick(c.byDefault, c.agent)
		if err != nil || got.Method != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got.Method, err, c.want)
		}
	}
	if _, err := pick(failed(Default), failed(Agent)); err == nil {
		t.Error("one of two failures was picked")
	}
}

// Every beginning of a schedule is a schedule.
func TestBeginning(t *testing.T) {
	whole, err := schedule.Parse("matmul0: T(8,8,0) T(0,0,4) V")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for n := range whole[0].Actions {
		got = append(got, strings.TrimSpace(schedule.Schedule{beginning(whole[0], n+1)}.String()))
	}
	want := "matmul0: T(8,8,0) NT|matmul0: T(8,8,0) T(0,0,4) NT|matmul0: T(8,8,0) T(0,0,4) V"
	if text := strings.Join(got, "|"); text != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if len(whole[0].Actions) != 3 {
		t.Error("the schedule itself was changed")
	}
}
