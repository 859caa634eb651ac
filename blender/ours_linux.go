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
	table, err := os.Open("/proc/self/net/tcp")
	if err != nil {
		return true
	}
	defer table.Close()
	return listenerIsOf(bufio.NewScanner(table), uint16(number), os.Getuid())
}

// listenerIsOf returns whether no other user listens on a port of 127.0.0.1, by the table of
// /proc/net/tcp. Its lines have the local address, the remote address and the state as the second to
// the fourth field, and the user as the eighth.
func listenerIsOf(table *bufio.Scanner, port uint16, user int) bool {
	const listening = "0A"
	loopback := binary.NativeEndian.Uint32([]byte{127, 0, 0, 1})
	places := []string{fmt.Sprintf("%08X:%04X", loopback, port), fmt.Sprintf("%08X:%04X", 0, port)}
	for table.Scan() {
		fields := strings.Fields(table.Text())
		if len(fields) >= 8 && fields[3] == listening && slices.Contains(places, fields[1]) && fields[7] != strconv.Itoa(user) {
			return false
		}
	}
	return true
}
