//go:build !headless

package tray

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"os"
	"os/exec"
	"syscall"
	"unicode/utf16"
)

// toast shows a notification in the way that PowerShell can. The texts come in variables and are no
// part of the script: scripts have written them.
const toast = `[Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime] > $null
$xml = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02)
$words = $xml.GetElementsByTagName("text")
$words.Item(0).AppendChild($xml.CreateTextNode($env:BLENDTRAY_NOTICE_TITLE)) > $null
$words.Item(1).AppendChild($xml.CreateTextNode($env:BLENDTRAY_NOTICE_TEXT)) > $null
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier("org.blendtray.Blendtray").Show([Windows.UI.Notifications.ToastNotification]::new($xml))`

// notification returns the command that shows a notification.
func notification(ctx context.Context, title, text string) *exec.Cmd {
	var script []byte // in the encoding that PowerShell takes
	for _, unit := range utf16.Encode([]rune(toast)) {
		script = binary.LittleEndian.AppendUint16(script, unit)
	}
	cmd := exec.CommandContext(ctx, "powershell.exe", "-NoProfile", "-NonInteractive", "-EncodedCommand", base64.StdEncoding.EncodeToString(script))
	cmd.Env = append(os.Environ(), "BLENDTRAY_NOTICE_TITLE="+title, "BLENDTRAY_NOTICE_TEXT="+text)
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true}
	return cmd
}
