//go:build !headless

package tray

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// blenderKey is the setting that names the Blender.
const blenderKey = "blender.path"

// blenderTab is the tab Blender: which Blender is used, its state, and which others there are.
type blenderTab struct {
	window  *window
	content fyne.CanvasObject
	facts   *widget.Form
	values  map[string]*widget.Label
	restart *widget.Button
	all     *widget.Button
	found   *fyne.Container
	others  []Found // the Blenders that are listed
	shown   api.BlenderStatus
}

func newBlenderTab(w *window) *blenderTab {
	t := &blenderTab{window: w, values: map[string]*widget.Label{}}
	t.facts = widget.NewForm()
	for _, name := range []string{
		english("State"), english("Version"), english("Program"), english("Why this one"), english("Process"), english("Memory"),
		english("Waiting"), english("Runs"), english("Add-on"),
	} {
		value := widget.NewLabel("")
		value.Wrapping = fyne.TextWrapWord
		value.Selectable = true
		t.values[name] = value
		t.facts.Append(translated(name), value)
	}
	s := w.shell
	t.restart = widget.NewButtonWithIcon(lang.L("Restart"), theme.ViewRefreshIcon(), func() { s.ask(Item{Do: RestartBlender}) })
	log := widget.NewButtonWithIcon(lang.L("Show its log"), theme.DocumentIcon(), func() { w.showLog(cmp.Or(t.shown.Name, api.DefaultBlender)) })
	t.all = widget.NewButtonWithIcon(lang.L("Show all Blenders"), theme.SearchIcon(), nil)
	t.all.OnTapped = func() { t.findBlenders(t.all) }
	choose := widget.NewButtonWithIcon(lang.L("Choose another…"), theme.FolderOpenIcon(), t.choose)
	t.found = container.NewVBox()
	t.content = container.NewVScroll(container.NewPadded(container.NewVBox(
		t.facts, container.NewHBox(t.restart, log, t.all, choose), t.found,
	)))
	return t
}

func (t *blenderTab) show(s State) {
	enable(t.restart, possible(s).restart)
	t.set("Runs", runsWords(s))
	b := s.blender()
	if s.Link != Attached {
		b = api.BlenderStatus{} // nobody knows its state without an engine
	}
	if b == t.shown && t.values["State"].Text != "" {
		return
	}
	if b.Path != t.shown.Path && len(t.others) > 0 {
		defer t.list() // another Blender is in use now, and can't be chosen
	}
	t.shown = b
	set := t.set
	set("State", blenderWord(b.State))
	set("Version", b.Version)
	set("Program", api.NameInLine(b.Path))
	if b.Reason != "" {
		set("State", because(blenderWord(b.State), b.Reason))
	}
	set("Why this one", whyThisOne(b))
	set("Process", "")
	set("Memory", "")
	set("Waiting", "")
	set("Add-on", "")
	if b.Waiting > 0 {
		set("Waiting", lang.N("{{.Count}} for the next runs, in which nothing has run", b.Waiting, with{"Count": grouped(b.Waiting)}))
	}
	if b.PID != 0 {
		set("Process", fmt.Sprint(b.PID))
		set("Memory", bytesText(b.MemoryBytes))
	}
	if b.Port != 0 {
		set("Add-on", lang.L("serves at {{.Address}} on the {{.Loop}}", with{"Address": fmt.Sprintf("127.0.0.1:%d", b.Port), "Loop": b.Loop}))
	}
}

// runsWords returns how many runs are running and wait, and how many of them go to the farm. Those that no
// machine of the farm has begun wait.
func runsWords(s State) string {
	st, there := s.Status, s.awaiting()
	if st.Running == 0 && st.Queued == 0 {
		return ""
	}
	far := ""
	if st.OnFarm > 0 {
		far = lang.N("{{.Count}} of them for the farm", st.OnFarm, with{"Count": grouped(st.OnFarm)})
	}
	return beside(lang.L("{{.Running}} running, {{.Waiting}} waiting", with{"Running": grouped(max(0, st.Running-there)), "Waiting": grouped(st.Queued + there)}), far)
}

// set shows the value of a fact, or a dash for "".
func (t *blenderTab) set(name, text string) {
	if text == "" {
		text = "–"
	}
	if value := t.values[name]; value.Text != text {
		value.SetText(text)
	}
}

// use makes the settings name a Blender, if it works.
func (t *blenderTab) use(path string) {
	s := t.window.shell
	t.window.changeWithin(inBlender, func(ctx context.Context) (api.SettingsReport, error) {
		if err := s.cfg.Host.Choose(ctx, path); err != nil {
			return api.SettingsReport{}, err
		}
		return s.cfg.Client.SetSetting(ctx, blenderKey, path)
	}, func(err error) {
		if err != nil {
			t.window.fail(err)
			return
		}
		t.window.noteRestart(lang.L("{{.Program}} is used from the next start of Blender.", with{"Program": api.NameInLine(path)}))
	})
}

// choose asks the person for the program of a Blender, and uses it.
func (t *blenderTab) choose() {
	start := ""
	if t.shown.Path != "" {
		start = filepath.Dir(t.shown.Path)
	}
	chooseBlender(t.window, start, t.use)
}

// whyThisOne returns in words why this Blender is used.
func whyThisOne(b api.BlenderStatus) string {
	switch b.Source {
	case "":
		return ""
	case api.SourceChosen:
		return lang.L("it was chosen, in the settings or for this start")
	case api.SourceOpen:
		return lang.L("the settings ask for an open Blender")
	}
	return lang.L("the newest Blender that works; found in {{.Place}}", with{"Place": b.Source})
}

// findBlenders looks for the Blenders of this machine and lists them, to choose from.
func (t *blenderTab) findBlenders(button *widget.Button) {
	button.Disable()
	t.found.RemoveAll()
	t.found.Add(widget.NewProgressBarInfinite())
	host := t.window.shell.cfg.Host
	chosen, _ := t.window.report.Find(blenderKey)
	fetchWithin(t.window, inBlender, func(ctx context.Context) ([]Found, error) { return host.Blenders(ctx, chosen.Text()), nil },
		func(all []Found, _ error) {
			button.Enable()
			t.others = all
			t.list()
			if len(all) == 0 {
				t.found.Add(widget.NewLabel(lang.L("No Blender was found. Install one, or choose the program.")))
			}
		})
}

// list shows the Blenders that were found.
func (t *blenderTab) list() {
	t.found.RemoveAll()
	for i := range t.others {
		t.found.Add(t.row(&t.others[i]))
	}
	t.found.Refresh()
}

func (t *blenderTab) row(f *Found) fyne.CanvasObject {
	name := widget.NewLabelWithStyle(lang.L("Blender {{.Version}}", with{"Version": f.Version}), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	where := widget.NewLabel(lang.L("{{.Program}}  ({{.Place}})", with{"Program": api.NameInLine(f.Path), "Place": f.Source}))
	where.Truncation = fyne.TextTruncateEllipsis
	if f.Trouble != "" {
		name.SetText(lang.L("Can't be used"))
		where.SetText(because(api.NameInLine(f.Path), f.Trouble))
	}
	use := widget.NewButton(lang.L("Use this one"), func() { t.use(f.Path) })
	if f.Trouble != "" || f.Path == t.shown.Path {
		use.Disable()
	}
	if f.Trouble != "" {
		return container.NewBorder(nil, nil, name, use, where)
	}
	return container.NewVBox(container.NewBorder(nil, nil, name, use, where), t.addOn(f), widget.NewSeparator())
}

// addOn returns a line that says whether the add-on is in a Blender, with a button that installs
// or removes it.
func (t *blenderTab) addOn(f *Found) fyne.CanvasObject {
	state := widget.NewLabel("")
	state.Wrapping = fyne.TextWrapWord
	button := widget.NewButton("", nil)
	show := func() {
		state.SetText(lang.L("Add-on, for a Blender that you open yourself: {{.State}}", with{"State": plain(f.AddOn)}))
		button.SetText(lang.L("Install the add-on"))
		if f.HasAddOn {
			button.SetText(lang.L("Remove the add-on"))
		}
		button.Enable()
	}
	button.OnTapped = func() {
		button.Disable()
		before, want := *f, !f.HasAddOn
		state.SetText(lang.L("One moment…"))
		fetchWithin(t.window, inBlender, func(ctx context.Context) (Found, error) {
			return t.window.shell.cfg.Host.SetAddOn(ctx, before, want)
		}, func(now Found, err error) {
			if err != nil {
				t.window.fail(err)
			} else {
				*f = now
				t.window.note("")
			}
			if err == nil && want {
				t.window.note(lang.L("The add-on is installed and has run code. Enable “TCP Echo” in the preferences of that Blender, under Add-ons, and start serving."))
			}
			show()
		})
	}
	show()
	return container.NewBorder(nil, nil, nil, button, state)
}

// inBlender is how long a request may take that starts several Blenders, one after the other.
const inBlender = 3 * time.Minute
