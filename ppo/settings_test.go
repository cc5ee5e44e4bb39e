package ppo

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// The documents tell of every setting, with its value in both presets.
func TestSettingsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, ours := 0, reflect.TypeFor[Config](); i < ours.NumField(); i++ {
		name := ours.Field(i).Tag.Get("json")
		want := fmt.Sprintf("\n| `%s` | %v | %v | ", name, Defaults().setting(name), Paper().setting(name))
		if !strings.Contains(string(page), want) {
			t.Errorf("docs/settings.md lacks a line that begins with%s", want)
		}
	}
}

// What is wrong with a setting is said in a line, with what would be right.
func TestSettingsThatMakeNoSense(t *testing.T) {
	c := Defaults()
	c.Clip = 2
	if err := c.Check(); err == nil || err.Error() != "setting clip is 2; it must be between 0 and 1" {
		t.Errorf("%v", err)
	}
}
