package app

import (
	"os"
	"path/filepath"
	"testing"

	"blendtray/farm"
	"blendtray/farm/server"
)

func TestTheAddressOfANATSServerHasTLS(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"farm.example":                  "tls://farm.example:4222",
		"farm.example:4300":             "tls://farm.example:4300",
		"tls://10.0.0.5":                "tls://10.0.0.5:4222",
		"tls://[::1]:4222":              "tls://[::1]:4222",
		"tls://a:4222, b":               "tls://a:4222,tls://b:4222",
		"nats://farm.example:4222":      "",
		"ws://farm.example":             "",
		"tls://":                        "",
		"":                              "",
		"tls://me:secret@farm.example":  "",
		"tls://farm.example,nats://two": "",
	} {
		if got, err := natsURL(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestThePinOfAServerIsReadFromItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tls.pem")
	if pin := pinOfFile(path); pin != "" {
		t.Errorf("without a file: %s", pin)
	}
	cert, err := server.Certificate(path)
	if err != nil {
		t.Fatal(err)
	}
	pin := pinOfFile(path)
	if pin != farm.PinOf(cert.Leaf) {
		t.Errorf("%s", pin)
	}
	for _, text := range []string{pin, "SHA256:" + pin} {
		if read, err := farm.ReadPin(text); err != nil || read != pin {
			t.Errorf("%s: %s, %v", text, read, err)
		}
	}
	for _, text := range []string{"", "SHA256:", pin[1:], pin + "AAAA"} {
		if _, err := farm.ReadPin(text); err == nil {
			t.Errorf("%q is a pin", text)
		}
	}
	if err := os.WriteFile(path, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if pin := pinOfFile(path); pin != "" {
		t.Errorf("of another file: %s", pin)
	}
}
