package login

import (
	"bytes"
	"encoding/xml"
	"fmt"

	"blendtray/app/home"
)

// agentLabel names the launch agent of macOS.
const agentLabel = "org.blendtray.tray"

// launchAgent returns a property list for the LaunchAgents folder of macOS. It fails for a
// program that a property list can't name.
func launchAgent(p home.Program) ([]byte, error) {
	if err := check(p); err != nil {
		return nil, err
	}
	environment := ""
	if p.Home != "" {
		environment = fmt.Sprintf(`	<key>EnvironmentVariables</key>
	<dict>
		<key>BLENDTRAY_HOME</key>
		<string>%s</string>
	</dict>
`, escapeXML(p.Home))
	}
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>%s</string>
	<key>ProgramArguments</key>
	<array>
		<string>%s</string>
	</array>
%s	<key>RunAtLoad</key>
	<true/>
	<key>ProcessType</key>
	<string>Interactive</string>
</dict>
</plist>
`, agentLabel, escapeXML(p.Path), environment), nil
}

func escapeXML(s string) string {
	var buf bytes.Buffer
	_ = xml.EscapeText(&buf, []byte(s)) // a buffer takes everything
	return buf.String()
}

// agentStarts tells whether macOS starts a program for this property list at login.
func agentStarts(text []byte) bool {
	flags := map[string]bool{}
	decoder := xml.NewDecoder(bytes.NewReader(text))
	key, inKey := "", false
	for {
		token, err := decoder.Token()
		if err != nil {
			return flags["RunAtLoad"] && !flags["Disabled"]
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "true" {
				flags[key] = true
			}
			if inKey = token.Name.Local == "key"; inKey {
				key = ""
			}
		case xml.CharData:
			if inKey {
				key += string(token)
			}
		case xml.EndElement:
			inKey = false
		}
	}
}
