package mcp

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"blendtray/api"
	"blendtray/control"
)

const scheme = "blendtray://"

// runURI returns the address of a run, or of a part of it such as "/output".
func runURI(id, part string) string { return scheme + "runs/" + url.PathEscape(id) + part }

// maxResource is how many bytes of a file an agent gets: an answer is in memory several times.
const maxResource = 32 << 20

func registerResources(s *Server) {
	for _, r := range []struct{ uri, name, kind, description string }{
		{"status", "status", "application/json", "The state of the engine, its Blenders and folders."},
		{"runs", "runs", "application/json", "The last 50 runs, newest first."},
		{"log", "log", "text/plain", "The end of what Blender has printed."},
		{"log/engine", "engine log", "text/plain", "The end of the engine's log."},
	} {
		s.sdk.AddResource(&sdk.Resource{URI: scheme + r.uri, Name: r.name, MIMEType: r.kind, Description: r.description}, s.read)
	}
	for _, r := range []struct{ uri, name, kind, description string }{
		{"runs/{id}", "run", "application/json", "How a run ended, its result and its error."},
		{"runs/{id}/output", "output", "text/plain", "All that is kept of what a run printed."},
		{"runs/{id}/code", "code", "text/x-python", "The code of a run."},
		{"runs/{id}/preview", "preview", "image/jpeg", "The picture of what a run left."},
		{"runs/{id}/outputs/{n}", "made file", "", "The file number n, from 0 on, that a run has made."},
	} {
		s.sdk.AddResourceTemplate(&sdk.ResourceTemplate{URITemplate: scheme + r.uri, Name: r.name, MIMEType: r.kind, Description: r.description}, s.read)
	}
}

// read answers with a resource. It fails with the protocol's own error where there is none.
func (s *Server) read(ctx context.Context, req *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
	if err := s.ready(ctx, false); err != nil {
		return nil, err
	}
	path := strings.Split(strings.TrimPrefix(req.Params.URI, scheme), "/")
	for i, part := range path {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return nil, sdk.ResourceNotFoundError(req.Params.URI)
		}
		path[i] = plain
	}
	contents, err := s.resource(ctx, path)
	if errors.Is(err, control.ErrNoEngine) && s.options.Ready != nil {
		// The engine has ended since.
		if err := s.ready(ctx, true); err != nil {
			return nil, err
		}
		contents, err = s.resource(ctx, path)
	}
	if errors.Is(err, api.ErrNotFound) {
		return nil, sdk.ResourceNotFoundError(req.Params.URI)
	}
	if err != nil {
		return nil, err
	}
	if contents.Text == "" && contents.Blob == nil {
		contents.Blob = []byte{} // else it would have neither, which clients refuse
	}
	contents.URI = req.Params.URI
	return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{contents}}, nil
}

// resource returns what lies at a path.
func (s *Server) resource(ctx context.Context, path []string) (*sdk.ResourceContents, error) {
	switch {
	case len(path) == 1 && path[0] == "status":
		status, err := s.client.Status(ctx)
		return inJSON(status, err)
	case len(path) == 1 && path[0] == "runs":
		runs, err := s.client.Runs(ctx, api.Filter{Limit: 50})
		return inJSON(runs, err)
	case path[0] == "log" && s.options.Log != nil && len(path) <= 2:
		log, err := s.options.Log(ctx, len(path) == 2)
		return &sdk.ResourceContents{MIMEType: "text/plain", Text: log}, err
	case path[0] == "runs" && len(path) == 4 && path[2] == "outputs":
		return s.madeFile(ctx, path[1], path[3])
	case path[0] == "runs" && len(path) == 3:
		return s.partOfRun(ctx, path[1], path[2])
	case path[0] == "runs" && len(path) == 2:
		run, err := s.client.Run(ctx, path[1])
		run.Output = ""
		return inJSON(run, err)
	}
	return nil, api.ErrNotFound
}

// partOfRun returns the output, the code or the preview of a run.
func (s *Server) partOfRun(ctx context.Context, id, part string) (*sdk.ResourceContents, error) {
	switch part {
	case "output":
		run, err := s.client.Run(ctx, id)
		return &sdk.ResourceContents{MIMEType: "text/plain", Text: run.Output}, err
	case "code":
		code, err := s.client.Code(ctx, id)
		if !utf8.Valid(code) {
			return &sdk.ResourceContents{MIMEType: "text/x-python", Blob: code}, err
		}
		return &sdk.ResourceContents{MIMEType: "text/x-python", Text: string(code)}, err
	case "preview":
		picture, err := s.client.Preview(ctx, id)
		return &sdk.ResourceContents{MIMEType: "image/jpeg", Blob: picture}, err
	}
	return nil, api.ErrNotFound
}

// madeFile returns a file that a run has made. Only files that the engine lists are read, and of them only
// those in the workspace while agents are confined: a confined script may name any file as its own.
func (s *Server) madeFile(ctx context.Context, id, number string) (*sdk.ResourceContents, error) {
	run, err := s.client.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(run.Outputs) {
		return nil, api.ErrNotFound
	}
	settings, err := s.options.Settings(ctx)
	if err != nil {
		return nil, err
	}
	dir, name := filepath.Dir(run.Outputs[n]), filepath.Base(run.Outputs[n])
	if settings.Confine {
		if dir, err = s.options.Workspace(settings); err != nil {
			return nil, err
		}
		if name, err = filepath.Rel(dir, run.Outputs[n]); err != nil {
			return nil, api.ErrNotFound
		}
	}
	data, err := readFile(dir, name)
	if errors.Is(err, errTooLarge) {
		return nil, errors.New("the file is too large to be sent: it is " + run.Outputs[n])
	}
	if err != nil {
		return nil, api.ErrNotFound // it was removed since, or lies where agents may not look
	}
	kind := http.DetectContentType(data)
	if strings.HasPrefix(kind, "text/") && utf8.Valid(data) {
		return &sdk.ResourceContents{MIMEType: kind, Text: string(data)}, nil
	}
	return &sdk.ResourceContents{MIMEType: kind, Blob: data}, nil
}

// errTooLarge is the error of a file that has more than maxResource bytes.
var errTooLarge = errors.New("the file is too large")

// readFile reads a file in a folder, or below it. It fails for what leads out of the folder, what is no
// file, and what is too large. A script may have put anything there.
func readFile(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if info, err := root.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fs.ErrNotExist)
	}
	f, err := root.OpenFile(name, os.O_RDONLY|nonBlocking, 0) // it may be a pipe by now
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fs.ErrNotExist
	case info.Size() > maxResource:
		return nil, errTooLarge
	}
	return io.ReadAll(io.LimitReader(f, maxResource))
}

// inJSON returns a value as JSON, or the error.
func inJSON(value any, err error) (*sdk.ResourceContents, error) {
	if err != nil {
		return nil, err
	}
	all, err := textOf(value)
	return &sdk.ResourceContents{MIMEType: "application/json", Text: all}, err
}
