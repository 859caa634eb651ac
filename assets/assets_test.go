package assets

import (
	"bytes"
	"encoding/binary"
	"image/png"
	"math"
	"testing"
)

func size(t *testing.T, data []byte) int {
	t.Helper()
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil || config.Width != config.Height {
		t.Fatalf("no square PNG: %v, %+v", err, config)
	}
	return config.Width
}

func TestEveryIconIsThereForEverySystem(t *testing.T) {
	t.Parallel()
	seen := map[string]Icon{}
	for _, i := range Icons() {
		if n := size(t, i.PNG()); n != 64 {
			t.Errorf("%s has %d pixels", i, n)
		}
		if n := size(t, i.Template()); n != 44 {
			t.Errorf("%s has %d pixels for macOS", i, n)
		}
		checkICO(t, i.ICO(), 16, 24, 32, 48)
		if other, ok := seen[string(i.PNG())]; ok {
			t.Errorf("%s looks like %s", i, other)
		}
		seen[string(i.PNG())] = i
	}
	if n := size(t, App()); n != 512 {
		t.Errorf("the program's icon has %d pixels", n)
	}
	checkICO(t, AppICO(), 16, 32, 48, 256)
}

func checkICO(t *testing.T, data []byte, sizes ...int) {
	t.Helper()
	if n := int(binary.LittleEndian.Uint16(data[4:])); n != len(sizes) {
		t.Fatalf("%d pictures, want %d", n, len(sizes))
	}
	for i, want := range sizes {
		entry := data[6+16*i:]
		length, at := binary.LittleEndian.Uint32(entry[8:]), binary.LittleEndian.Uint32(entry[12:])
		if n := size(t, data[at:at+length]); n != want || entry[0] != byte(want) {
			t.Errorf("picture %d has %d pixels and says %d, want %d", i, n, entry[0], want)
		}
	}
}

func TestTheRingFillsStepByStep(t *testing.T) {
	t.Parallel()
	for fraction, want := range map[float64]Icon{
		0: "running-00", 0.08: "running-00", 0.5: "running-06", 0.999: "running-11", 1: "running-12", 7: "running-12",
		-1: RunningUnknown,
	} {
		if got := Running(fraction); got != want {
			t.Errorf("%v is %s, want %s", fraction, got, want)
		}
	}
	if got := Running(math.NaN()); got != RunningUnknown {
		t.Errorf("NaN is %s", got)
	}
}
