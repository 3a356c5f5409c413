package format

import "net/netip"

// Role is the side of a TLS connection the recorded process played.
type Role uint8

// Roles. RoleUnknown means no handshake function said so; a decoder may still
// find the role in the bytes.
const (
	RoleUnknown Role = 0
	RoleClient  Role = 1
	RoleServer  Role = 2
)

// Conn is the payload of a CONN event: everything known so far of the
// connection in Event.Conn. A later CONN event of the same id replaces the whole.
type Conn struct {
	PID        uint32 // process (tgid); its latest PROC event describes it
	SSL        uint64 // address of the session object in that process
	Generation uint32 // how many sessions of this PID had the same SSL before
	Cookie     uint64 // socket cookie, 0 if not linked
	Role       Role
	MidStream  bool           // true when the connection was older than the recording
	Local      netip.AddrPort // invalid if not linked
	Remote     netip.AddrPort // invalid if not linked
	ALPN       string         // as negotiated, "" if not seen
	Conflicts  uint32         // later sockets that did not match the first link
	Start      uint64         // Proc.Start of its process: a PID may be used again
	Version    uint16         // of TLS as in its records, 0x0304 for 1.3, 0xfefd for DTLS 1.2; 0 if not seen
	Cipher     uint16         // cipher suite by its IANA number, 0 if not seen
	SNI        string         // server name that the client asked for, "" if none was seen
}

// EndReason says why a connection ended.
type EndReason uint8

// Reasons. EndFree and EndExit mean no more bytes can come.
const (
	EndUnknown EndReason = 0
	EndFree    EndReason = 1 // the session object was freed or cleared
	EndExit    EndReason = 2 // the process exited
	EndExec    EndReason = 3 // the process replaced its program
	EndReuse   EndReason = 4 // a newer session took its address; the end itself was not seen
)

// ConnEnd is the payload of a CONN_END event. Offsets are what the kernel side
// counted: a reader that holds fewer bytes lost the rest.
type ConnEnd struct {
	Reason   EndReason
	Shutdown bool      // close_notify was sent: the local side ended the stream on purpose
	Written  uint64    // bytes of DirWrite, lost ones included
	Read     uint64    // bytes of DirRead, lost ones included
	Lost     [2]uint64 // bytes lost of DirWrite, DirRead
	Causes   [2]LostBytes
}

// LostBytes is Lost of one direction by its cause. All are 0 in sessions of 1.0.
type LostBytes struct{ RingFull, Fault, Snaplen uint64 }

// Proc is the payload of a PROC event: a process, by its PID and start time.
// All strings are captured data and may hold any byte.
type Proc struct {
	PID    uint32
	PPID   uint32
	UID    uint32
	Start  uint64 // nanoseconds of the session's clock when the process started, 0 if unknown
	Comm   string
	Exe    string   // path in the process's mount namespace, "" if not known
	Args   []string // argument vector, perhaps cut
	Cgroup string   // cgroup v2 path, "" if not known

	Origin   Origin
	CgroupID uint64 // of the cgroup v2, 0 if not known
	ArgsCut  bool   // Args is not all there was
	// Context: it is here because a process that was recorded descends from it.
	Context bool
	// Ancestors are its parent, that one's and so on, nearest first, at most
	// MaxAncestors: as they were when it and they were born, while PPID is who adopted
	// it since.
	Ancestors []Ancestor
}

// Ancestor names a process that another descends from.
type Ancestor struct {
	PID   uint32
	Start uint64 // as Proc.Start
	Comm  string // when its child was born
}

// MaxAncestors is how many ancestors a PROC event names.
const MaxAncestors = 64

// Origin says what became known with a PROC event.
type Origin uint8

// Origins. A process that forks and then runs another program has two PROC events.
const (
	OriginUnknown Origin = 0
	OriginFound   Origin = 1 // it ran already when it was first looked at
	OriginFork    Origin = 2 // its parent made it at this moment
	OriginExec    Origin = 3 // from this moment it runs this program
)

// ProcEnd is the payload of a PROC_END event.
type ProcEnd struct {
	PID    uint32
	Start  uint64 // Proc.Start of the process, 0 if not known
	Time   uint64 // when it ended, on the session's clock; 0: at the event's time
	Status uint32 // as wait(2) gives it: exit code × 256, or the number of a signal
	Exited bool   // Status is known
}

// DropCause says why something is missing.
type DropCause uint8

// Causes of loss. A DROP with a Conn and a Dir locates the loss exactly.
const (
	DropUnknown  DropCause = 0
	DropRingFull DropCause = 1 // the kernel ring had no room
	DropFault    DropCause = 2 // the process's memory could not be read
	DropSnaplen  DropCause = 3 // cut on purpose by a size limit
	DropNoState  DropCause = 4 // a kernel table was full: the connection could not be followed
	DropMissed   DropCause = 5 // the kernel did not run the probe
	DropControl  DropCause = 6 // an event without payload bytes was lost
	DropWriter   DropCause = 7 // the session writer shed it
	DropEdited   DropCause = 8 // it was recorded, and left out of a copy on purpose
)

// dropCauses are the causes in words.
var dropCauses = [...]string{
	DropUnknown:  "cause not known",
	DropRingFull: "kernel buffer full",
	DropFault:    "memory not readable",
	DropSnaplen:  "cut by a size limit",
	DropNoState:  "kernel table full",
	DropMissed:   "probe not run by the kernel",
	DropControl:  "events without bytes",
	DropWriter:   "shed by the writer",
	DropEdited:   "left out on purpose",
}

// String puts the cause in words. One of a newer recorder is not known.
func (c DropCause) String() string {
	if int(c) >= len(dropCauses) {
		c = DropUnknown
	}
	return dropCauses[c]
}

// Drop is the payload of a DROP event. Event.Conn and Event.Dir, when set,
// say whose bytes are missing, from Offset on.
type Drop struct {
	Cause  DropCause
	Events uint64 // events lost, 0 if not known
	Bytes  uint64 // plaintext bytes lost, 0 if none or not known
	Offset uint64 // stream offset of the first lost byte
}

// Clock is the payload of a CLOCK event: two clocks read at the same instant.
type Clock struct {
	Wall int64  // CLOCK_REALTIME, nanoseconds since the Unix epoch
	Mono uint64 // the session's clock
}

// Session is the payload of the SESSION event, the first event of a section.
type Session struct {
	UUID      [16]byte
	Wall      int64  // CLOCK_REALTIME at start, nanoseconds since the Unix epoch
	Mono      uint64 // the session's clock at the same instant
	UTCOffset int32  // seconds east of UTC on the recording host, so that local times replay the same anywhere
	Writer    string // program and version
	Host      string
	Kernel    string
	Arch      string
	Command   []string // command line of the recorder
	Filter    string   // what was recorded, in words
}

// Probe is the payload of a PROBE event: one file with functions that were hooked.
type Probe struct {
	ID      uint8
	Library string // "openssl"
	Path    string
	BuildID string   // hexadecimal, "" if the file has none
	Sites   []string // "function+offset: why this place", one per hook
}

// Handshake is the payload of a HANDSHAKE event.
type Handshake struct {
	OK bool
	// Bound: no call told of its end, so that Dur is from the first byte of the
	// client's hello to the return of the first call that moved application data.
	Bound bool
	Dur   uint64 // nanoseconds from the first handshake call to its end
}

// End is the payload of the END event, the last event of a section that was
// closed in order.
type End struct {
	Reason     string // "interrupt", "child exited", "limit" …
	Events     uint64 // events in the section before this one, repeats not counted
	Bytes      uint64 // plaintext bytes recorded
	LostEvents uint64
	LostBytes  uint64
	Next       uint32 // number of the file in which the session goes on, 0 if it is over

	Causes []CauseCount // what LostEvents and LostBytes are made of
	CPUs   []CPUCount   // what the probes did, by the processor that ran them
	Local  Count        // what was left out because it went through a socket that is no network's
	Conns  uint64       // how many connections that is
}

// Count is a number of events and of the plaintext bytes in them.
type Count struct{ Events, Bytes uint64 }

// CauseCount is what was lost of one cause.
type CauseCount struct {
	Cause DropCause
	Count
}

// CPUCount is what the probes of one processor made: Sent and Lost are all of it.
type CPUCount struct {
	CPU        uint64
	Sent, Lost Count
}
