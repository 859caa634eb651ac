package blender

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// helloFrame is the first frame of a session.
type helloFrame struct {
	Type     string `json:"type"`
	Protocol int    `json:"protocol"`
	Nonce    string `json:"nonce,omitempty"`
	Client   string `json:"client"`
	Output   bool   `json:"output,omitempty"`
}

// proofFrame is the second frame of a session that proves the token.
type proofFrame struct {
	Type  string `json:"type"`
	Proof string `json:"proof"`
}

// greetAnswer is a frame that Blender sends before a session is open.
type greetAnswer struct {
	Type string `json:"type"`
	Welcome
	Code    string `json:"code"`
	Message string `json:"message"`
	Nonce   string `json:"nonce"`
	Proof   string `json:"proof"`
}

// nonceLength is how long a nonce is, in hex digits.
const nonceLength = 64

// side is who proves that it knows the token.
type side string

const (
	serverSide side = "server"
	clientSide side = "client"
)

// proof returns the proof of one side: an HMAC, with the token as its key, over the port and the nonces
// of both sides. The nonces make each proof new. The port keeps a program that listens on another port
// from handing the proofs on to Blender.
func (g greeting) proof(s side, clientNonce, serverNonce string) string {
	mac := hmac.New(sha256.New, []byte(g.token))
	fmt.Fprintf(mac, "blendtray %d %s %s %s %s", ProtocolVersion, s, g.port, clientNonce, serverNonce)
	return hex.EncodeToString(mac.Sum(nil))
}

// proves reports whether a proof is the proof of one side.
func proves(g greeting, s side, clientNonce, serverNonce, proof string) bool {
	return len(serverNonce) == nonceLength && hmac.Equal([]byte(proof), []byte(g.proof(s, clientNonce, serverNonce)))
}
