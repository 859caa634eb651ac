package api

import "time"

// UsageSpan is for how long an engine keeps what it has measured of processes.
const UsageSpan = 10 * time.Minute

// Usage is what an engine and its Blenders took of the machine in the last minutes.
type Usage struct {
	// Cores is how many cores the machine has, and MemoryBytes how much memory.
	Cores       int    `json:"cores"`
	MemoryBytes uint64 `json:"memory_bytes"`
	// Engine is the process of the engine alone, the oldest sample first.
	Engine []UsageSample `json:"engine"`
	// Processes are the Blenders, in the order in which they were first seen; those that have ended
	// stay for as long as there are samples of them.
	Processes []ProcessUsage `json:"processes"`
}

// ProcessUsage is what one Blender, and the processes that it has started, took.
type ProcessUsage struct {
	// Blender and PID are those of the [ProcessStatus].
	Blender string `json:"blender"`
	PID     int    `json:"pid"`
	// SeenAt is when it was measured first, which tells it from another process that had its id before.
	SeenAt time.Time `json:"seen_at"`
	// Ended is true when the process is not there any more.
	Ended   bool          `json:"ended"`
	Samples []UsageSample `json:"samples"` // the oldest first
}

// UsageSample is what was measured at one moment.
type UsageSample struct {
	At time.Time `json:"at"`
	// MemoryBytes is the resident memory (RSS), added up over the processes, so that memory which
	// processes share counts in each.
	MemoryBytes uint64 `json:"memory_bytes"`
	// CPUCores is how many cores were busy since the sample before: 1 is one core.
	CPUCores float64 `json:"cpu_cores"`
	// Processes is how many processes were added up.
	Processes int `json:"processes"`
}
