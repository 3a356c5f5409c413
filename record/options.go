package record

import (
	"os"

	"github.com/NoFear0411/spliff/format"
)

// Options say what to record. Kinds of filter narrow each other, values of one
// kind widen it: PIDs, Parents or Command (one kind: a process tree), Comms. With
// none, every process is recorded.
type Options struct {
	PIDs    []uint32 // these processes
	Parents []uint32 // these and their descendants, present and future
	Comms   []string // processes whose name, or a thread's, contains one of these, in any case
	Command []string // start this and record it and its descendants; Run ends when it exits

	// The files of the started command. Nil means /dev/null.
	Stdin, Stdout, Stderr *os.File

	// RingBytes is the size of the kernel ring, rounded up to a power of two;
	// default 64 MiB. A burst larger than it is lost, and counted.
	RingBytes int
	// Snaplen is the most bytes copied of one call; 0 copies everything.
	Snaplen int
	// Live says that someone watches: the ring is drained every 20 ms. Otherwise
	// every 500 ms, which takes less CPU from the recorded programs.
	Live bool
	// Without are features of the kernel to do without, as an older one must.
	Without []Feature

	Writer string   // program and version, for the session
	Args   []string // command line, for the session
}

// Target is a library with probes on it.
type Target struct {
	ID      uint8
	Library string // name of its [Kind], "" if it is not known
	Path    string
	BuildID string
	Sites   []Site
	Problem string // why it carries no probes, "" if it does
}

// Stats are counted since Open. LostEvents and LostBytes include every cause.
type Stats struct {
	Events     uint64 // DATA events
	Bytes      uint64 // plaintext bytes
	Conns      uint64
	Procs      int
	LostEvents uint64
	LostBytes  uint64
	Causes     map[format.DropCause]uint64 // events lost by cause
}

// Sink takes what a session records. Both methods are called from the goroutine
// that called Run, in order; an error ends Run.
type Sink interface {
	// Event takes one event. The event and its payload are valid only during the call.
	Event(ev *format.Event) error
	// Flush is called when nothing more is waiting in the kernel.
	Flush() error
}

// Patient is a [Sink] that says when it is behind. As long as the kernel's buffer
// has room, it is then given nothing more.
type Patient interface {
	Sink
	// Busy is called from the goroutine that called Run.
	Busy() bool
}
