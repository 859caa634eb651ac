package blender

import (
	"bufio"
	"strings"
	"testing"
)

func TestListenersOfOtherUsersAreKnown(t *testing.T) {
	t.Parallel()
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0100007F:1F92 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
   3: 0200007F:1F93 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4 1 0 100 0 0 10 0
`
	const table6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 00000000000000000000000001000000:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
`
	for port, want := range map[uint16]bool{8080: false, 8081: false, 8082: true} {
		if got := listenerIsOf(bufio.NewScanner(strings.NewReader(table6)), port, 1000); got != want {
			t.Errorf("port %d of IPv6: %v", port, got)
		}
	}
	for port, want := range map[uint16]bool{8080: true, 8081: false, 8082: true, 8083: true, 8084: true} {
		if got := listenerIsOf(bufio.NewScanner(strings.NewReader(table)), port, 1000); got != want {
			t.Errorf("port %d: %v", port, got)
		}
	}
}
