package record

import (
	"os"

	"github.com/NoFear0411/spliff/format"
)

// Options say what to record. Kinds of filter narrow each other, values of one
// kind widen it: PIDs; Parents or Command (a process tree); Comms; UIDs; Cgroups or
// Containers; Libraries. With none, every process is recorded. We ourselves never are.
type Options struct {
	PIDs    []uint32 // these processes
	Parents []uint32 // these and their descendants, present and future
	Comms   []string // processes whose name, or a thread's, contains one of these, in any case
	Command []string // start this and record it and its descendants; Run ends when it exits
	UIDs    []uint32 // processes of these real user ids, in the initial user namespace

	// Cgroups are cgroups v2, each with all below it: paths as in /proc/PID/cgroup, or
	// as folders below the mount, or ids. Containers are ids of containers, or what
	// such an id begins with, as they stand in cgroup paths.
	Cgroups, Containers []string
	// Libraries are kinds of TLS library ("openssl"): only these get probes.
	Libraries []string
	// Offsets tell of files in which the functions of a TLS library are not found.
	Offsets []Offsets
	// Local records sessions over sockets that are no network's (AF_UNIX) too.
	Local bool
	// AllProcesses tells the life of every process of the host. Otherwise it is told
	// of those that a filter selects, without one of those that use TLS, and in each
	// case of their ancestors.
	AllProcesses bool

	// The files of the started command. Nil means /dev/null.
	Stdin, Stdout, Stderr *os.File

	// RingBytes is the size of the kernel ring, rounded up to a power of two;
	// default 32 MiB, at most 512 MiB. A burst larger than it is lost, and counted.
	RingBytes int
	// MaxConns is how many connections, and of each of the other tables how many
	// entries, are held at once; default 65,536, which takes at most 30 MiB of the
	// kernel's memory. What finds no room is not recorded, and counted.
	MaxConns int
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
	Given   string // [Offsets.File] of what told where its functions are, "" if they were found
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

	// Left out because they go through a socket that is no network's: see Options.Local.
	LocalConns, LocalEvents, LocalBytes uint64
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
