package record

// Inventory is what [Survey] found.
type Inventory struct {
	Found []Found
	// Hidden counts the processes whose mappings we may not read.
	Hidden int
}

// Found is a file with a TLS library in it, and who uses it.
type Found struct {
	Target
	Processes []Process // by PID
}

// Process is a running program.
type Process struct {
	PID  uint32
	Comm string // hostile: any bytes but NUL
}
