//go:build !headless

package tray

import (
	"context"
	"image"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
	"github.com/jeandeaual/go-locale"

	"blendtray/api"
	"blendtray/tray/install"
	"blendtray/tray/signs"
)

// firstPage is what a person sees after the first start: where to save, and what comes of it. It covers
// the tabs until the person goes on, or until a script of the person runs.
type firstPage struct {
	window  *window
	content *fyne.Container

	title, folder, says *widget.Label
	picture             *canvas.Image
	middle              *fyne.Container // has the picture, and the words below it
	bar                 *widget.ProgressBar
	ways                *fyne.Container // says how to install a Blender
	fonts               *quietText
	login               *widget.Check
	openFolder, on      *widget.Button

	covers  atomic.Bool // the page is shown
	first   First
	run     api.Run // of the example
	step    firstStep
	drawn   string        // the picture that is shown, with the run that has made it
	setting bool          // the program sets the check; nobody has clicked it
	looking bool          // somebody looks for a Blender
	asked   bool          // somebody has looked whether fonts are missing
	paths   string        // of the programs that were found while Blender can't start, or ""
	pause   time.Duration // before somebody looks for a Blender again
}

// lookAgain is how long the first page waits before it looks again whether there is a Blender.
const lookAgain = 3 * time.Second

func newFirstPage(w *window) *firstPage {
	p := &firstPage{window: w, first: w.shell.cfg.Host.First(), pause: lookAgain}
	s := w.shell
	p.title = widget.NewLabelWithStyle(lang.L("Save a Python script in this folder, and it runs in Blender"), fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
	p.title.SizeName = theme.SizeNameHeadingText
	p.title.Wrapping = fyne.TextWrapWord
	p.folder = widget.NewLabelWithStyle("", fyne.TextAlignCenter, fyne.TextStyle{Monospace: true})
	p.folder.Selectable = true
	p.says = widget.NewLabelWithStyle("", fyne.TextAlignCenter, fyne.TextStyle{})
	p.says.Wrapping = fyne.TextWrapWord
	p.picture = &canvas.Image{FillMode: canvas.ImageFillContain}
	p.bar = widget.NewProgressBar()
	p.ways = container.NewVBox()
	p.fonts = newQuietText("")
	p.fonts.align = fyne.TextAlignCenter
	p.fonts.Hide()
	p.openFolder = widget.NewButtonWithIcon(lang.L("Open the folder"), theme.FolderOpenIcon(), func() {
		folder := firstFolder(s.now(), p.first.Example)
		s.try("open the folder", func(context.Context) error { return s.cfg.Host.Open(folder, 0) })
	})
	choose := widget.NewButtonWithIcon(lang.L("Choose Blender…"), theme.ComputerIcon(), func() { chooseBlender(w, "", w.blender.use) })
	p.login = widget.NewCheck(lang.L("Start at login"), func(on bool) {
		if !p.setting {
			s.startAtLogin(on)
		}
	})
	p.on = widget.NewButtonWithIcon(lang.L("Go on to the window"), theme.NavigateNextIcon(), p.read)
	p.on.Importance = widget.HighImportance
	p.on.IconPlacement = widget.ButtonIconTrailingText
	buttons := container.NewHBox(layout.NewSpacer(), p.openFolder, choose, p.login, p.on, layout.NewSpacer())
	p.picture.Hide()
	story := container.NewVBox(p.says, container.New(narrow{}, p.bar), container.NewCenter(p.ways))
	p.middle = container.New(pictureAbove{}, p.picture, story)
	p.content = container.NewPadded(container.NewBorder(
		container.NewVBox(p.title, p.folder), container.NewVBox(p.fonts, container.NewPadded(buttons)), nil, nil, p.middle,
	))
	p.content.Hidden = !p.first.Unread
	p.covers.Store(p.first.Unread)
	return p
}

// shown reports whether the page covers the tabs. It may be called on any goroutine.
func (p *firstPage) shown() bool { return p.covers.Load() }

// open shows the page again.
func (p *firstPage) open() {
	p.first = p.window.shell.cfg.Host.First()
	p.covers.Store(true)
	p.content.Show()
	p.window.uncover(false)
	p.reload()
	p.show(p.window.shell.now())
}

// read closes the page for good.
func (p *firstPage) read() {
	if !p.shown() {
		return
	}
	p.leave()
	p.window.goTo(0)
}

// leave closes the page for good, and leaves the person in the tab that is below.
func (p *firstPage) leave() {
	if !p.shown() {
		return
	}
	p.covers.Store(false)
	p.content.Hide()
	p.setPicture(nil) // it takes memory
	p.drawn = ""
	p.window.uncover(true)
	host := p.window.shell.cfg.Host
	fetch(p.window, func(context.Context) (struct{}, error) { return struct{}{}, host.ReadFirst() },
		func(_ struct{}, err error) { p.window.failed(err) })
}

// reload asks for the run of the example, and whether another script has run.
func (p *firstPage) reload() {
	client := p.window.shell.cfg.Client
	fetch(p.window, func(ctx context.Context) ([]api.Run, error) { return client.Runs(ctx, api.Filter{Limit: 50}) },
		func(all []api.Run, err error) {
			if err != nil {
				return // the next engine brings a reload
			}
			for i := range all {
				r := all[len(all)-1-i] // the oldest first
				if p.first.Unread && otherScript(r, p.first.Example) {
					p.leave()
					return
				}
				p.take(r)
			}
			p.show(p.window.shell.now())
		})
}

// take takes over a run of the example, unless a newer state of it is known: an answer may be older than
// an event. It reports whether it did.
func (p *firstPage) take(r api.Run) bool {
	if r.Script != p.first.Example || r.ID == p.run.ID && p.run.State.Final() || r.ID != p.run.ID && newer(p.run.ID, r.ID) {
		return false
	}
	p.run = r
	return true
}

// heard takes over an event of a run.
func (p *firstPage) heard(r api.Run) {
	if !p.shown() {
		return
	}
	switch {
	case p.take(r):
		p.show(p.window.shell.now())
	case p.first.Unread && otherScript(r, p.first.Example):
		p.read()
	}
}

// show shows how far the example is.
func (p *firstPage) show(s State) {
	if !p.shown() {
		return
	}
	p.setting = true
	p.login.SetChecked(s.Login)
	p.setting = false
	folder := firstFolder(s, p.first.Example)
	if p.folder.Text != folder {
		p.folder.SetText(folder)
	}
	enable(p.openFolder, folder != "")
	step := stepOf(s, p.run)
	if text := p.words(s, step); text != p.says.Text {
		p.says.SetText(text)
	}
	if fraction := fractionOf(s, p.run); step == stepRunning && fraction >= 0 {
		p.bar.SetValue(fraction)
		p.bar.Show()
	} else {
		p.bar.Hide()
	}
	p.showWays(step == stepBlender)
	if step == stepBlender {
		p.lookForBlender()
	}
	if step != p.step {
		p.step = step
		p.middle.Refresh() // the words have another height
	}
	p.draw(step)
	p.lookForSigns(folder)
}

// words returns in plain words what has happened.
func (p *firstPage) words(s State, step firstStep) string {
	b := s.blender()
	data := map[string]any{
		"Script": api.NameInLine(filepath.Base(p.first.Example)), "Time": clock(elapsed(p.run, time.Now())),
		"Blender": strings.TrimSpace("Blender " + p.run.BlenderVersion), "Reason": "",
	}
	switch step {
	case stepEngine:
		return lang.L("Blendtray is starting…")
	case stepBlender:
		if noBlender(b.Reason) {
			return lang.L("There is no Blender on this machine yet. Install it in one of these ways; this page goes on by itself when Blender is there.")
		}
		data["Reason"] = reasonOf(b.Reason)
		return lang.L("Blender can't start: {{.Reason}}. Choose another, or install one; this page goes on by itself.", data)
	case stepRunning:
		return lang.L("{{.Script}} was saved in the folder. It has been running in Blender for {{.Time}}.", data)
	case stepDone:
		if pictureOf(p.run) != "" {
			return lang.L("{{.Script}} was saved in the folder. Blendtray ran it in {{.Blender}}, and it made this picture in {{.Time}}. Change a number in it and save it again.", data)
		}
		return lang.L("{{.Script}} was saved in the folder. Blendtray ran it in {{.Blender}} in {{.Time}}.", data)
	case stepFailed:
		data["Reason"] = oneLine(why(p.run), 200)
		return lang.L("{{.Script}} was saved in the folder. Blendtray ran it in {{.Blender}}, and it did not succeed: {{.Reason}}", data)
	}
	if p.first.Example == "" {
		return lang.L("What you save there runs at once.")
	}
	if b.State == api.BlenderStarting {
		return lang.L("Blender is starting. Then an example runs.")
	}
	return lang.L("An example is about to run.")
}

// noBlender reports whether Blender can't start because there is none.
func noBlender(reason string) bool { return strings.Contains(reason, "no Blender was found") }

// showWays shows how to install a Blender, or nothing.
func (p *firstPage) showWays(want bool) {
	if want == (len(p.ways.Objects) > 0) {
		return
	}
	p.ways.RemoveAll()
	if !want {
		return
	}
	grid := container.New(layout.NewFormLayout())
	for _, way := range install.Blender(install.Here(), install.Has) {
		grid.Add(widget.NewLabel(way.Name))
		if way.Page != "" {
			grid.Add(container.NewHBox(widget.NewHyperlink(way.Page, address(way.Page))))
			continue
		}
		command := widget.NewLabelWithStyle(way.Command, fyne.TextAlignLeading, fyne.TextStyle{Monospace: true})
		command.Selectable = true
		grid.Add(container.NewHBox(command, p.window.copyButton(way.Command)))
	}
	p.ways.Add(grid)
}

// address returns an address, or nil for a text that is none.
func address(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	return u
}

// lookForBlender looks from time to time whether there is a Blender, and has the engine start it. Where
// there is a Blender that can't start, that Blender and the others are only started when a program has come
// or gone.
func (p *firstPage) lookForBlender() {
	if p.looking {
		return
	}
	p.looking = true
	s := p.window.shell
	chosen, _ := p.window.report.Find(blenderKey)
	pause, before, none := p.pause, p.paths, noBlender(s.now().blender().Reason)
	go func() {
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return
		}
		paths := "found: " + strings.Join(s.cfg.Host.BlenderPaths(chosen.Text()), "\n")
		usable := false
		if none || before != "" && paths != before {
			for _, f := range s.cfg.Host.Blenders(s.ctx, chosen.Text()) {
				usable = usable || f.Trouble == "" && (chosen.Text() == "" || f.Path == chosen.Text())
			}
		}
		s.do(func() {
			p.looking, p.paths = false, paths
			now := s.now()
			if !p.shown() || stepOf(now, p.run) != stepBlender {
				return
			}
			if usable {
				p.startBlender()
			}
			p.lookForBlender()
		})
	}()
}

// startBlender has the engine start Blender. It does not touch what the banner says: no person has asked,
// and the next state says why Blender can't start.
func (p *firstPage) startBlender() {
	_, start := asking(p.window.shell.cfg.Client, Item{Do: StartBlender})
	fetch(p.window, func(ctx context.Context) (struct{}, error) { return struct{}{}, start(ctx) }, func(struct{}, error) {})
}

// maxFirst is how large the picture of the first page is at most, in pixels.
const maxFirst = 1400

// draw shows the picture that the example has made. While the example runs again, the last picture stays.
func (p *firstPage) draw(step firstStep) {
	if step == stepWait || step == stepRunning {
		return
	}
	path := ""
	if step == stepDone {
		path = pictureOf(p.run)
	}
	want := ""
	if path != "" {
		want = p.run.ID + " " + path
	}
	if want == p.drawn {
		return
	}
	p.drawn = want
	if path == "" {
		p.setPicture(nil)
		return
	}
	fetch(p.window, func(context.Context) (image.Image, error) { return shrink(path, image.Pt(maxFirst, maxFirst)) },
		func(small image.Image, err error) {
			if p.drawn != want {
				return
			}
			if err != nil {
				small = nil // the words say that there is a picture
			}
			p.setPicture(small)
		})
}

// setPicture shows a picture, or none.
func (p *firstPage) setPicture(small image.Image) {
	p.picture.Image, p.picture.Hidden = small, small == nil
	p.picture.Refresh()
	p.middle.Refresh()
}

// pictureAbove lays out a picture above a text. While the picture is hidden, the text is in the middle.
type pictureAbove struct{}

func (pictureAbove) MinSize(all []fyne.CanvasObject) fyne.Size {
	return all[1].MinSize().AddWidthHeight(0, 80)
}

func (pictureAbove) Layout(all []fyne.CanvasObject, size fyne.Size) {
	picture, text := all[0], all[1]
	text.Resize(fyne.NewSize(size.Width, text.MinSize().Height))
	height := text.MinSize().Height // a text that wraps knows its height when it has its width
	text.Resize(fyne.NewSize(size.Width, height))
	top := size.Height - height
	picture.Resize(fyne.NewSize(size.Width, top))
	picture.Move(fyne.NewPos(0, 0))
	if !picture.Visible() {
		top /= 2
	}
	text.Move(fyne.NewPos(0, top))
}

// lookForSigns looks once whether fonts lack signs that the person needs, and names their packages.
func (p *firstPage) lookForSigns(folder string) {
	if p.asked || folder == "" {
		return
	}
	p.asked = true
	fetch(p.window, func(context.Context) ([]signs.Need, error) {
		languages, err := locale.GetLocales()
		if err != nil {
			languages = signs.Languages(os.Environ())
		}
		needs := signs.Needed(languages, signs.Names([]string{folder}))
		if len(needs) == 0 {
			return nil, nil
		}
		fonts := p.window.shell.cfg.Fonts
		if fonts == nil {
			fonts = func() (func(rune) bool, error) { return signs.Fonts("") }
		}
		has, err := fonts()
		if err != nil {
			return nil, err
		}
		return signs.Missing(needs, has), nil
	}, func(missing []signs.Need, err error) {
		if err != nil || len(missing) == 0 {
			return // the doctor says what is wrong with the fonts
		}
		p.fonts.SetText(lang.L("No font on this machine has all signs for {{.Signs}}. This installs them: {{.Command}}", map[string]any{
			"Signs": signs.Words(missing), "Command": signs.Fix(missing, install.Here()),
		}))
		p.fonts.Show()
	})
}

// copyButton returns a button that copies a text.
func (w *window) copyButton(text string) *settingButton {
	return newSettingButton("", theme.ContentCopyIcon(), func() { w.shell.app.Clipboard().SetContent(text) })
}
