package flamencotest

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/google/shlex"
)

// Compile has a job type's script make the tasks of a job with some settings, in the interpreter that
// Flamenco uses, with the globals that Flamenco documents for such scripts. It returns the tasks, and
// fails the test where the script fails.
func Compile(t testing.TB, script string, settings map[string]any) (tasks []Task) {
	t.Helper()
	source, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	vm := goja.New()
	vm.SetFieldNameMapper(goja.UncapFieldNameMapper())
	globals := map[string]any{
		"author": map[string]any{
			"Task":    func(name, kind string) *authored { return &authored{Name: name, Type: kind} },
			"Command": func(name string, parameters map[string]any) Command { return Command{name, parameters} },
		},
		"path": map[string]any{
			"join": path.Join, "dirname": path.Dir, "basename": path.Base,
			"stem": func(p string) string { return strings.TrimSuffix(path.Base(p), path.Ext(p)) },
		},
		"print":        func(...any) {},
		"frameChunker": chunks,
		"shellSplit":   shlex.Split,
	}
	for name, value := range globals {
		if err := vm.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := vm.RunScript(script, string(source)); err != nil {
		t.Fatal(err)
	}
	checkSettings(t, vm, settings)
	compile, ok := goja.AssertFunction(vm.Get("compileJob"))
	if !ok {
		t.Fatalf("%s has no function compileJob", script)
	}
	job := map[string]any{"settings": settings, "addTask": func(a *authored) {
		tasks = append(tasks, Task{Name: a.Name, JobType: strings.TrimSuffix(path.Base(script), ".js"), Type: a.Type, Commands: a.Commands})
	}}
	if _, err := compile(goja.Undefined(), vm.ToValue(job)); err != nil {
		t.Fatal(err)
	}
	return tasks
}

// authored is a task that a script makes.
type authored struct {
	Name, Type string
	Commands   []Command
}

// AddCommand adds a command to the task.
func (a *authored) AddCommand(c Command) { a.Commands = append(a.Commands, c) }

// checkSettings checks that the settings that a script declares are as Flamenco's interface describes
// them, and fills the defaults in.
func checkSettings(t testing.TB, vm *goja.Runtime, settings map[string]any) {
	t.Helper()
	value, err := vm.RunString("JSON.stringify(JOB_TYPE)")
	if err != nil {
		t.Fatal(err)
	}
	var declared struct {
		Label, Description string
		Settings           []struct {
			Key, Type, Subtype, Description, Eval, Visible string
			Required, Editable                             bool
			Default                                        any
			Propargs, EvalInfo                             map[string]any
		}
	}
	decoder := json.NewDecoder(strings.NewReader(value.String()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&declared); err != nil || declared.Label == "" {
		t.Errorf("JOB_TYPE: %v", err)
	}
	words := map[string][]string{
		"type":    {"string", "int32", "float", "bool"},
		"subtype": {"", "file_path", "dir_path", "file_name", "hashed_file_path"},
		"visible": {"", "visible", "hidden", "submission", "web"},
	}
	for _, s := range declared.Settings {
		for what, word := range map[string]string{"type": s.Type, "subtype": s.Subtype, "visible": s.Visible} {
			if !strings.Contains(" "+strings.Join(words[what], " ")+" ", " "+word+" ") {
				t.Errorf("the setting %s has the %s %q", s.Key, what, word)
			}
		}
		if s.Description == "" {
			t.Errorf("the setting %s has no description", s.Key)
		}
		if _, ok := settings[s.Key]; !ok && s.Default != nil {
			settings[s.Key] = s.Default
		}
		if _, ok := settings[s.Key]; !ok && s.Required {
			t.Errorf("the job lacks the setting %s", s.Key)
		}
	}
}

// chunks splits frames such as "1-5, 9" into texts of so many frames each, as Flamenco's frameChunker does.
func chunks(frames string, size int) (all []string, err error) {
	var numbers []int
	for part := range strings.SplitSeq(frames, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		from, err := strconv.Atoi(strings.TrimSpace(first))
		to := from
		if err == nil && isRange {
			to, err = strconv.Atoi(strings.TrimSpace(last))
		}
		if err != nil {
			return nil, fmt.Errorf("%q are no frames", part)
		}
		for n := from; n <= to; n++ {
			numbers = append(numbers, n)
		}
	}
	for len(numbers) > 0 {
		n := min(size, len(numbers))
		all = append(all, ranges(numbers[:n]))
		numbers = numbers[n:]
	}
	return all, nil
}

// ranges writes numbers as "1-5,9".
func ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		part := strconv.Itoa(numbers[i])
		if j > i {
			part += "-" + strconv.Itoa(numbers[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ",")
}
