package addon

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"testing"
)

// parsers is a program that has the parsers read what a stranger may send, and says what is wrong.
// Each input comes with its length before it; the answer is a line, empty when all is well.
const parsers = `
import importlib.util, json, os, struct, sys, types

package = types.ModuleType("parsers")
package.__path__ = [sys.argv[1]]
sys.modules["parsers"] = package
def load(name):
    spec = importlib.util.spec_from_file_location("parsers." + name, os.path.join(sys.argv[1], name + ".py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
frames, scanner, strict, proof = map(load, ("frames", "json_scanner", "strict_json", "proof"))

def scan(pieces):
    s = scanner.ObjectScanner()
    try:
        for piece in pieces:
            end = s.feed(piece)
            if end is not None:
                return end
    except scanner.ScanError:
        return "error"
    return None

def cut(data, limit):
    reader = frames.FrameReader(limit)
    out = []
    try:
        for piece in data:
            reader.feed(piece)
            out += reader.frames()
    except frames.FrameError:
        out.append("error")
    return out

def value_of(text):
    try:
        return strict.loads(text)
    except (ValueError, RecursionError):
        return None

def check(data):
    single = [data[i:i + 1] for i in range(len(data))]
    halves = [data[:len(data) // 2], data[len(data) // 2:]]
    end = scan([data])
    if not scan(single) == scan(halves) == end:
        return f"scanned in pieces: {scan(single)}, {scan(halves)}, and at once {end}"
    for limit in (16, 4096):
        whole = cut([data], limit)
        if not cut(single, limit) == cut(halves, limit) == whole:
            return "frames depend on the pieces"
    token = scanner.token_in_prefix(data)
    if token is not None and not isinstance(token, str):
        return f"a token that is no text: {token!r}"
    if isinstance(end, int):
        text = data[:end]
        if not text.endswith((b"}", b"]")):
            return f"an object that ends with {text[-5:]!r}"
        value = value_of(text)
        if isinstance(value, dict):
            keys = [key for key, _ in json.loads(text.decode(), object_pairs_hook=list)]
            found = scanner.token_in_prefix(text)
            if keys.count("token") == 0 and found is not None:
                return f"a token that is not there: {found!r}"
            if keys.count("token") == 1:
                right = value["token"] if isinstance(value["token"], str) else None
                if found != right:
                    return f"the token {found!r} is {right!r}"
    else:
        value = value_of(data)
        if isinstance(value, dict) and end != "error":
            return f"an object whose end is not found: {end}"
    proof.is_nonce(value)
    proof.same(value, "0" * 64)
    return ""

while True:
    head = sys.stdin.buffer.read(4)
    if not head:
        break
    data = sys.stdin.buffer.read(struct.unpack(">I", head)[0])
    try:
        wrong = check(data)
    except BaseException as error:
        wrong = f"{type(error).__name__}: {error}"
    print(wrong.replace("\n", " "), flush=True)
`

// FuzzParsersThatStrangersReach has the add-on's parsers read any bytes: the scanner of bare messages,
// the search for the token, frames, and the first frame's JSON. What they find must not depend on how
// the bytes are cut into pieces, and must be what JSON itself finds.
func FuzzParsersThatStrangersReach(f *testing.F) {
	for _, seed := range []string{
		"", "{", "{}", " \r\n\t{}", "[1]", "{\"a\": {\"token\": \"x\"}}", `{"token": "x", "code": "1"}`,
		`{"code": "\"token\": \"x\"", "token": "y"}`, `{"token": "a", "token": "b"}`, `{"\u0074oken": "\u002d"}`,
		`{"token": 1}`, `{"token": null}`, `{"a": ["token", "x"]}`, `{"a":[{}],"b":"]}\\"}`, "{\"a\": \"\xff\"}",
		"{\"a\": \"\\", `{"a": NaN}`, "{]", "{\"a\":\"é☃\"}", "\x00\x00\x00\x02{}", "\x00\x00\x10\x01x",
		"\x00\x00\x00\x00", "\x00\x00\x00\x3c{\"type\":\"hello\",\"protocol\":1,\"nonce\":\"00\"}", "\xff\xfe{\x00}\x00",
		"{\"a\":" + string(make([]byte, 100)) + "}",
	} {
		f.Add([]byte(seed))
	}
	command := exec.Command("python3", "-c", parsers, "tcp_echo")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		f.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		f.Fatal(err)
	}
	if err := command.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		in.Close()
		_ = command.Wait() // it ends with its standard input
	})
	answers := bufio.NewReader(out)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)); err != nil {
			t.Fatal(err)
		}
		wrong, err := answers.ReadString('\n')
		if err != nil && err != io.EOF || wrong == "" {
			t.Fatalf("the program with the parsers has ended: %v", err)
		}
		if wrong != "\n" {
			t.Fatalf("%q: %s", data, wrong)
		}
	})
}
