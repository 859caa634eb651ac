//go:build !headless

package tray

import (
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// agentRow is a line for an agent that is connected, with a button that lists its runs.
type agentRow struct {
	content    fyne.CanvasObject
	title, did *widget.Label
}

func newAgentRow(list func()) *agentRow {
	r := &agentRow{title: widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true}), did: widget.NewLabel("")}
	r.title.Truncation, r.did.Truncation = fyne.TextTruncateEllipsis, fyne.TextTruncateEllipsis
	runs := widget.NewButtonWithIcon(lang.L("Its runs"), theme.ListIcon(), list)
	r.content = container.NewBorder(nil, widget.NewSeparator(), nil, container.NewPadded(runs), container.New(halves{first: 0.41}, r.title, r.did))
	return r
}

// agentTitle returns what an agent's program calls itself, and how the program is connected.
func agentTitle(a api.Agent) string {
	name := oneLine(a.Title(), 48)
	if a.Name == "" {
		name = lang.L("an agent without a name")
	}
	how := ""
	switch a.Transport {
	case api.OverPipe:
		how = lang.L("over a pipe")
	case api.OverHTTP:
		how = lang.L("over HTTP")
	case api.OverLab:
		how = lang.L("over Blender Lab's port")
	}
	return beside(name, how)
}

// agentDid returns in words what an agent does and has done.
func agentDid(a api.Agent, now time.Time) string {
	call := ""
	if a.Call != "" && a.CalledAt != nil {
		facts := with{"Tool": oneLine(a.Call, 32), "Time": when(*a.CalledAt, now)}
		if a.Calling > 0 {
			call = lang.L("{{.Tool}} has been running since {{.Time}}", facts)
		} else {
			call = lang.L("{{.Tool}} at {{.Time}}", facts)
		}
	}
	session := ""
	if len(a.Sessions) > 0 {
		session = lang.L("session {{.Name}}", with{"Name": oneLine(a.Sessions[0], 32)})
	}
	return beside(call, lang.N("{{.Count}} runs", a.Runs, with{"Count": grouped(a.Runs)}), session,
		lang.L("since {{.Time}}", with{"Time": when(a.Since, now)}))
}

// refreshAgents shows the agents that are connected. Rows that stay are changed where they are.
func (t *queueTab) refreshAgents() {
	now := time.Now()
	rows := make(map[string]*agentRow, len(t.state.Status.Agents))
	var objects []fyne.CanvasObject
	if len(t.state.Status.Agents) > 0 && t.state.Link == Attached {
		objects = append(objects, t.agentsHead)
		for _, a := range t.state.Status.Agents {
			row := t.agentRows[a.ID]
			if row == nil {
				row = newAgentRow(func() { t.listRunsOf(a.ID) })
			}
			for label, text := range map[*widget.Label]string{row.title: agentTitle(a), row.did: agentDid(a, now)} {
				if label.Text != text {
					label.SetText(text)
				}
			}
			rows[a.ID] = row
			objects = append(objects, row.content)
		}
	}
	t.agentRows = rows
	if !slices.Equal(objects, t.agents.Objects) {
		t.agents.Objects = objects
		t.agents.Refresh()
	}
}

// listRunsOf lists the runs of an agent in the tab Activity.
func (t *queueTab) listRunsOf(id string) {
	for _, a := range t.state.Status.Agents {
		if a.ID == id {
			t.window.runs.setFilter(runFilter{Client: a.Client})
			t.window.goToContent(t.window.runs.content)
			return
		}
	}
}
