package figures

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"nestling/ppo"
	"nestling/training"
)

// command is what starts such a training. The name of a file of settings is not kept, so
// what stands in it is told beside it, as far as it differs from what the command starts
// with.
func (s stage) command() string {
	line := []string{"nestling train --model", s.run.Model}
	for _, f := range flags(s.setup) {
		if f[1] != "" {
			line = append(line, "--"+f[0], f[1])
		}
	}
	if s.setup.Replay {
		line = append(line, "--replay")
	}
	var beside []string
	if settings := changed(s.setup); len(settings) > 0 {
		line = append(line, "--config FILE")
		beside = append(beside, "FILE: "+strings.Join(settings, ", "))
	}
	if s.setup.Exact {
		line = append(line, "--tolerance T")
		beside = append(beside, "T: too small for Winograd's algorithm")
	}
	text := "`" + strings.Join(line, " ") + "`"
	if len(beside) > 0 {
		text += " (" + strings.Join(beside, "; ") + ")"
	}
	return text
}

// flags are those that take a value, with "" for what is left out.
func flags(s training.Setup) [][2]string {
	all := [][2]string{
		{"size", s.Size}, {"preset", s.Preset}, {"weights", near(s.Weights)}, {"teacher", near(s.Teacher)}, {"data", near(s.Data)},
		{"seed", strconv.FormatUint(s.Config.Seed, 10)}, {"threads", strconv.Itoa(s.Threads)}, {"time", s.Time},
	}
	if s.Data == "" {
		all = append(all, [2]string{"programs", strconv.Itoa(s.Programs)})
	}
	if s.Config.Iterations > 0 {
		all = append(all, [2]string{"iterations", strconv.Itoa(s.Config.Iterations)})
	}
	return all
}

// changed are the settings of the learning that neither the preset nor a flag gives, as
// name=value.
func changed(s training.Setup) []string {
	usual := ppo.Defaults
	if preset, known := training.Presets[s.Preset]; known {
		usual = preset
	}
	from := usual()
	from.Seed, from.Iterations = s.Config.Seed, s.Config.Iterations
	was, is := reflect.ValueOf(from), reflect.ValueOf(s.Config)
	var all []string
	for i := range is.NumField() {
		if v := is.Field(i); !v.Equal(was.Field(i)) {
			all = append(all, fmt.Sprintf("%s=%v", is.Type().Field(i).Tag.Get("json"), v))
		}
	}
	return all
}
