package blender

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// mayBeOurs returns whether the program that listens on a port of 127.0.0.1 belongs to the user of this
// process, or may, because the system does not tell.
func mayBeOurs(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return true // connecting to it says what is wrong
	}
	for _, name := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		table, err := os.Open(name)
		if err != nil {
			continue
		}
		ours := listenerIsOf(bufio.NewScanner(table), uint16(number), os.Getuid())
		table.Close()
		if !ours {
			return false
		}
	}
	return true
}

// listenerIsOf returns whether no other user listens on a port of 127.0.0.1, by a table of
// /proc/net. Its lines have the local address, the remote address and the state as the second to
// the fourth field, and the user as the eighth.
func listenerIsOf(table *bufio.Scanner, port uint16, user int) bool {
	const listening = "0A"
	loopback := binary.NativeEndian.Uint32([]byte{127, 0, 0, 1})
	mapped := binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff}) // a part of ::ffff:127.0.0.1
	places := []string{
		fmt.Sprintf("%08X:%04X", loopback, port), fmt.Sprintf("%08X:%04X", 0, port),
		fmt.Sprintf("%016X%08X%08X:%04X", 0, mapped, loopback, port), fmt.Sprintf("%032X:%04X", 0, port),
	}
	for table.Scan() {
		fields := strings.Fields(table.Text())
		if len(fields) >= 8 && fields[3] == listening && slices.Contains(places, fields[1]) && fields[7] != strconv.Itoa(user) {
			return false
		}
	}
	return true
}
