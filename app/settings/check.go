package settings

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"blendtray/farm/flamenco"
)

// checks has, by its key, what fails for a text that can't be the value of a setting. An empty text
// turns such a setting off.
var checks = map[string]func(text string) error{
	"farm.serve": func(text string) error {
		host, port, err := net.SplitHostPort(text)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil || strings.ContainsAny(host, " \t") {
			return fmt.Errorf("%q is no address with a port, such as \"0.0.0.0:4222\"", text)
		}
		return nil
	},
	"flamenco.manager": func(text string) error {
		_, err := flamenco.ManagerURL(text)
		return err
	},
}

// check fails for a text that can't be the value of the setting, and says what a right value looks like.
func (d *Declaration) check(text string) error {
	if is := checks[d.Key()]; is != nil && text != "" {
		return is(text)
	}
	return nil
}
