package mcp

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
)

// answerOf returns the answer about a run: how it stands, what it printed, why it failed, what came of
// it. notes are said in the first line.
func answerOf(got seen, notes ...string) *sdk.CallToolResult {
	run := got.run
	run.Reason = forAgents(run.Reason)
	if run.Error != nil && run.Error.Type == api.Refused {
		refused := *run.Error
		refused.Message, refused.Traceback = forAgents(refused.Message), forAgents(refused.Traceback)
		run.Error = &refused
	}
	head := "run " + run.ID + " " + stateWords(run)
	if run.Session != "" {
		notes = append([]string{"session " + run.Session}, notes...)
	}
	if len(notes) > 0 {
		head += " (" + strings.Join(notes, ", ") + ")"
	}
	var after strings.Builder
	if run.Error != nil {
		after.WriteString(errorWords(run))
	}
	if run.State.Final() && run.Reason != "" && (run.Error == nil || run.State == api.Cancelled) {
		fmt.Fprintf(&after, "%s\n", run.Reason)
	}
	if len(run.Result) > 0 && string(run.Result) != "null" {
		result := string(run.Result)
		fmt.Fprintf(&after, "result: %s\n", cutMiddle(result, 2<<10))
		if len(result) > 2<<10 {
			fmt.Fprintf(&after, "The whole result is in the resource %s\n", runURI(run.ID, ""))
		}
	}
	after.WriteString(outputsWords(run.Outputs))
	if !run.State.Final() {
		fmt.Fprintf(&after, "Call wait_run with run %q to wait for its end, or cancel_run to end it.\n", run.ID)
	}

	body := ""
	room := maxText - len(head) - after.Len() - 200
	if out, whole := got.out.text(max(room, 1<<10), runURI(run.ID, "/output")); out != "" && run.Error != nil && isConverter(run) {
		// Operators print tracebacks of their own.
		body = fmt.Sprintf("What it printed is in the resource %s\n", runURI(run.ID, "/output"))
	} else if out != "" {
		body = "output:\n" + strings.TrimRight(out, "\n") + "\n"
		if !whole {
			body += "Of a very long output the engine keeps the beginning and the end (the setting runs.output).\n"
		}
	}
	res := &sdk.CallToolResult{
		Content: []sdk.Content{&sdk.TextContent{Text: strings.TrimRight(head+"\n"+body+after.String(), "\n")}},
		IsError: run.State.Final() && run.State != api.Succeeded,
	}
	res.Meta = handles(run)
	return res
}

// handles returns the handles of a run for programs. What models read is the text.
func handles(run api.Run) sdk.Meta {
	return sdk.Meta{"blendtray/run": run.ID, "blendtray/state": string(run.State), "blendtray/session": run.Session}
}

// checkpointHandle is the handle of the checkpoint that an answer is about.
const checkpointHandle = "blendtray/checkpoint"

// stateWords returns how a run stands, in words.
func stateWords(run api.Run) string {
	words := strings.ReplaceAll(string(run.State), "-", " ")
	switch {
	case run.State == api.Queued || run.AwaitsMachine():
		words = "waits"
		if run.Reason != "" {
			words += ": " + run.Reason
		}
	case run.State == api.Running:
		words = "is running"
		if run.StartedAt != nil {
			words += " for " + time.Since(*run.StartedAt).Round(time.Second).String()
		}
		if p := progressWords(run.Progress); p != "" {
			words += ", " + p
		}
	case run.HasTaken():
		words += " after " + durationWords(run.Seconds)
	}
	return words
}

// durationWords returns a time in words.
func durationWords(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// maxError is how many bytes of an error an answer has.
const maxError = 2 << 10

// errorWords returns why a run failed: the traceback, the line, and what can be done.
func errorWords(run api.Run) string {
	e := run.Error
	var b strings.Builder
	if isConverter(run) {
		// The traceback and its lines are those of Blendtray's own code.
		fmt.Fprintf(&b, "error: %s\n", cutMiddle(reasonOf(*e), maxError))
		if hint := hintFor(run); hint != "" {
			fmt.Fprintf(&b, "hint: %s\n", hint)
		}
		return b.String()
	}
	said := strings.TrimSpace(e.Traceback)
	last := e.Type
	if e.Message != "" {
		last += ": " + e.Message
	}
	if said == "" || !strings.Contains(said, e.Type) {
		said = strings.TrimSpace(said + "\n" + last)
	}
	fmt.Fprintf(&b, "error: %s\n", cutMiddle(said, maxError))
	if len(said) > maxError {
		fmt.Fprintf(&b, "The whole error is in the resource %s\n", runURI(run.ID, ""))
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "line: %d\n", e.Line)
	}
	if hint := hintFor(run); hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", hint)
	}
	return b.String()
}

// isConverter reports whether a run imports or exports a file by the code of open_save_export.
func isConverter(run api.Run) bool {
	return run.Script == converterName(actImport) || run.Script == converterName(actExport)
}

// reasonOf returns the reason of an error alone: its class and its message, or of an operator in Python the last
// line of the traceback that is its message.
func reasonOf(e api.ScriptError) string {
	const trace = "Traceback (most recent call last):"
	message := strings.TrimSpace(e.Message)
	if before, after, ok := strings.Cut(message, trace); ok {
		message = strings.TrimSpace(before)
		for line := range strings.Lines(after) {
			line = strings.TrimRight(line, "\r\n")
			place := strings.HasPrefix(strings.ToLower(line), "location: ")
			if line != "" && line[0] != ' ' && !place {
				message = line
			}
		}
	}
	if e.Type == "" || message == "" {
		return e.Type + message
	}
	return e.Type + ": " + message
}

// maxOutputs is how many files of a run an answer names.
const maxOutputs = 10

// outputsWords names the files that a run has made.
func outputsWords(files []string) string {
	var b strings.Builder
	for i, file := range files {
		if i == maxOutputs {
			fmt.Fprintf(&b, "made: %d more files\n", len(files)-i)
			break
		}
		fmt.Fprintf(&b, "made: %s\n", cut(file, 300))
	}
	return b.String()
}

// textOf returns JSON of a value for an agent to read.
func textOf(value any) (string, error) {
	all, err := json.MarshalIndent(value, "", " ")
	return string(all), err
}
