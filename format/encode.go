package format

import "fmt"

// Element types of the payloads made of TLVs. FORMAT.md "Payloads" is the
// normative list; numbers are never reused.
const (
	connPID = iota + 1
	connSSL
	connGeneration
	connCookie
	connRole
	connMidStream
	connLocal
	connRemote
	connALPN
	connConflicts
	connStart
	connVersion
	connCipher
	connSNI
)

// PID is the first element so that a writer, which needs it for every
// definition, finds it at once.
const (
	procPID = iota + 1
	procPPID
	procUID
	procStart
	procComm
	procExe
	procArg
	procCgroup
	procAncestor
	procOrigin
	procCgroupID
	procArgsCut
	procContext
)

// These are also the variable part of the file header.
const (
	sessionWriter = iota + 1
	sessionHost
	sessionKernel
	sessionArch
	sessionCommand
	sessionFilter
	sessionUUID
	sessionWall
	sessionMono
	sessionUTCOffset
)

const (
	probeID = iota + 1
	probeLibrary
	probePath
	probeBuildID
	probeSite
)

// AppendTo appends the encoded payload to dst and returns the result. What has
// its zero value is left out, as in the other payloads made of elements: a
// connection of which little is known costs little, in every chunk it is in.
func (c *Conn) AppendTo(dst []byte) []byte {
	dst = appendWord(dst, connPID, uint64(c.PID))
	dst = appendWord(dst, connSSL, c.SSL)
	dst = appendWord(dst, connGeneration, uint64(c.Generation))
	dst = appendWord(dst, connCookie, c.Cookie)
	dst = appendWord(dst, connRole, uint64(c.Role))
	dst = appendBool(dst, connMidStream, c.MidStream)
	dst = appendAddr(dst, connLocal, c.Local)
	dst = appendAddr(dst, connRemote, c.Remote)
	dst = appendText(dst, connALPN, c.ALPN)
	dst = appendWord(dst, connConflicts, uint64(c.Conflicts))
	dst = appendWord(dst, connStart, c.Start)
	dst = appendWord(dst, connVersion, uint64(c.Version))
	dst = appendWord(dst, connCipher, uint64(c.Cipher))
	return appendText(dst, connSNI, c.SNI)
}

// ParseConn decodes the payload of a CONN event. The result does not alias p.
//
// Values of Role and the like that this version does not name are kept as they
// are; elements it does not know are passed over. ParseConn fails with ErrMalformed, or ErrVersion for an element it must not ignore;
// so do the other Parse functions.
func ParseConn(p []byte) (Conn, error) {
	var c Conn
	s := scanner{what: "connection", rest: p}
	for s.next() {
		switch s.typ {
		case connPID:
			c.PID = s.u32()
		case connSSL:
			c.SSL = s.word()
		case connGeneration:
			c.Generation = s.u32()
		case connCookie:
			c.Cookie = s.word()
		case connRole:
			c.Role = Role(s.u8())
		case connMidStream:
			c.MidStream = s.flag()
		case connLocal:
			c.Local = s.addr()
		case connRemote:
			c.Remote = s.addr()
		case connALPN:
			c.ALPN = s.text()
		case connConflicts:
			c.Conflicts = s.u32()
		case connStart:
			c.Start = s.word()
		case connVersion:
			c.Version = s.u16()
		case connCipher:
			c.Cipher = s.u16()
		case connSNI:
			c.SNI = s.text()
		default:
			s.unknown()
		}
	}
	return c, s.err
}

// AppendTo appends the encoded payload to dst. Args beyond MaxList, and ancestors
// beyond MaxAncestors, are left out.
func (p *Proc) AppendTo(dst []byte) []byte {
	dst = appendWord(dst, procPID, uint64(p.PID))
	dst = appendWord(dst, procPPID, uint64(p.PPID))
	dst = appendWord(dst, procUID, uint64(p.UID))
	dst = appendWord(dst, procStart, p.Start)
	dst = appendText(dst, procComm, p.Comm)
	dst = appendText(dst, procExe, p.Exe)
	dst = appendList(dst, procArg, p.Args)
	dst = appendText(dst, procCgroup, p.Cgroup)
	for _, a := range p.Ancestors[:min(len(p.Ancestors), MaxAncestors)] {
		dst = appendTLV(dst, procAncestor, a.String())
	}
	dst = appendWord(dst, procOrigin, uint64(p.Origin))
	dst = appendWord(dst, procCgroupID, p.CgroupID)
	dst = appendBool(dst, procArgsCut, p.ArgsCut)
	return appendBool(dst, procContext, p.Context)
}

// ParseProc decodes the payload of a PROC event. The result does not alias p.
func ParseProc(p []byte) (Proc, error) {
	var v Proc
	s := scanner{what: "process", rest: p}
	for s.next() {
		switch s.typ {
		case procPID:
			v.PID = s.u32()
		case procPPID:
			v.PPID = s.u32()
		case procUID:
			v.UID = s.u32()
		case procStart:
			v.Start = s.word()
		case procComm:
			v.Comm = s.text()
		case procExe:
			v.Exe = s.text()
		case procArg:
			v.Args = s.addTo(v.Args)
		case procCgroup:
			v.Cgroup = s.text()
		case procAncestor:
			v.Ancestors = s.ancestor(v.Ancestors)
		case procOrigin:
			v.Origin = Origin(s.u8())
		case procCgroupID:
			v.CgroupID = s.word()
		case procArgsCut:
			v.ArgsCut = s.flag()
		case procContext:
			v.Context = s.flag()
		default:
			s.unknown()
		}
	}
	return v, s.err
}

// AppendTo appends the encoded payload to dst.
func (v *Session) AppendTo(dst []byte) []byte {
	dst = appendText(dst, sessionWriter, v.Writer)
	dst = appendText(dst, sessionHost, v.Host)
	dst = appendText(dst, sessionKernel, v.Kernel)
	dst = appendText(dst, sessionArch, v.Arch)
	dst = appendList(dst, sessionCommand, v.Command)
	dst = appendText(dst, sessionFilter, v.Filter)
	if v.UUID != [16]byte{} {
		dst = appendTLV(dst, sessionUUID, v.UUID[:])
	}
	dst = appendWord(dst, sessionWall, uint64(v.Wall))
	dst = appendWord(dst, sessionMono, v.Mono)
	return appendWord(dst, sessionUTCOffset, uint64(int64(v.UTCOffset)))
}

// ParseSession decodes the payload of a SESSION event. The result does not alias p.
func ParseSession(p []byte) (Session, error) {
	var v Session
	s := scanner{what: "session", rest: p}
	for s.next() {
		switch s.typ {
		case sessionWriter:
			v.Writer = s.text()
		case sessionHost:
			v.Host = s.text()
		case sessionKernel:
			v.Kernel = s.text()
		case sessionArch:
			v.Arch = s.text()
		case sessionCommand:
			v.Command = s.addTo(v.Command)
		case sessionFilter:
			v.Filter = s.text()
		case sessionUUID:
			if len(s.value) < len(v.UUID) {
				s.fail("UUID of %d bytes", len(s.value))
			}
			copy(v.UUID[:], s.value)
		case sessionWall:
			v.Wall = int64(s.word())
		case sessionMono:
			v.Mono = s.word()
		case sessionUTCOffset:
			v.UTCOffset = int32(s.word())
		default:
			s.unknown()
		}
	}
	return v, s.err
}

// AppendTo appends the encoded payload to dst. Sites beyond MaxList are left out.
func (v *Probe) AppendTo(dst []byte) []byte {
	dst = appendWord(dst, probeID, uint64(v.ID))
	dst = appendText(dst, probeLibrary, v.Library)
	dst = appendText(dst, probePath, v.Path)
	dst = appendText(dst, probeBuildID, v.BuildID)
	return appendList(dst, probeSite, v.Sites)
}

// ParseProbe decodes the payload of a PROBE event. The result does not alias p.
func ParseProbe(p []byte) (Probe, error) {
	var v Probe
	s := scanner{what: "probe", rest: p}
	for s.next() {
		switch s.typ {
		case probeID:
			v.ID = s.u8()
		case probeLibrary:
			v.Library = s.text()
		case probePath:
			v.Path = s.text()
		case probeBuildID:
			v.BuildID = s.text()
		case probeSite:
			v.Sites = s.addTo(v.Sites)
		default:
			s.unknown()
		}
	}
	return v, s.err
}

// Lengths of the payloads made of fixed fields, in 1.0. Later versions append:
// what they do is left out where all of it is 0.
const (
	connEndLen   = 40
	procEndLen   = 8
	dropLen      = 32
	clockLen     = 16
	handshakeLen = 16

	connEndLen1 = 88 // in 1.1
	procEndLen1 = 32
)

// fixed checks that p holds the fields of 1.0. Payloads of fixed fields are for
// events that are many and small.
func fixed(p []byte, n int, what string) error {
	if len(p) < n {
		return fmt.Errorf("%s: %w: %d bytes of %d", what, ErrMalformed, len(p), n)
	}
	return nil
}

// AppendTo appends the encoded payload to dst.
func (v *ConnEnd) AppendTo(dst []byte) []byte {
	dst = append(dst, uint8(v.Reason), bit(v.Shutdown), 0, 0, 0, 0, 0, 0)
	dst = le.AppendUint64(dst, v.Written)
	dst = le.AppendUint64(dst, v.Read)
	dst = le.AppendUint64(dst, v.Lost[0])
	dst = le.AppendUint64(dst, v.Lost[1])
	if v.Causes == [2]LostBytes{} {
		return dst
	}
	for _, c := range v.Causes {
		dst = le.AppendUint64(dst, c.RingFull)
		dst = le.AppendUint64(dst, c.Fault)
		dst = le.AppendUint64(dst, c.Snaplen)
	}
	return dst
}

// ParseConnEnd decodes the payload of a CONN_END event.
func ParseConnEnd(p []byte) (ConnEnd, error) {
	if err := fixed(p, connEndLen, "connection end"); err != nil {
		return ConnEnd{}, err
	}
	v := ConnEnd{
		Reason: EndReason(p[0]), Shutdown: p[1] != 0,
		Written: le.Uint64(p[8:]), Read: le.Uint64(p[16:]),
		Lost: [2]uint64{le.Uint64(p[24:]), le.Uint64(p[32:])},
	}
	if len(p) >= connEndLen1 {
		for i := range v.Causes {
			c := p[connEndLen+24*i:]
			v.Causes[i] = LostBytes{RingFull: le.Uint64(c), Fault: le.Uint64(c[8:]), Snaplen: le.Uint64(c[16:])}
		}
	}
	return v, nil
}

// AppendTo appends the encoded payload to dst.
func (v *ProcEnd) AppendTo(dst []byte) []byte {
	dst = le.AppendUint64(dst, uint64(v.PID))
	if *v == (ProcEnd{PID: v.PID}) {
		return dst
	}
	dst = le.AppendUint64(dst, v.Start)
	dst = le.AppendUint64(dst, v.Time)
	dst = le.AppendUint32(dst, v.Status)
	return append(dst, bit(v.Exited), 0, 0, 0)
}

// ParseProcEnd decodes the payload of a PROC_END event.
func ParseProcEnd(p []byte) (ProcEnd, error) {
	if err := fixed(p, procEndLen, "process end"); err != nil {
		return ProcEnd{}, err
	}
	v := ProcEnd{PID: le.Uint32(p)}
	if len(p) >= procEndLen1 {
		v.Start, v.Time, v.Status, v.Exited = le.Uint64(p[8:]), le.Uint64(p[16:]), le.Uint32(p[24:]), p[28] != 0
	}
	return v, nil
}

// AppendTo appends the encoded payload to dst.
func (v *Drop) AppendTo(dst []byte) []byte {
	dst = append(dst, uint8(v.Cause), 0, 0, 0, 0, 0, 0, 0)
	dst = le.AppendUint64(dst, v.Events)
	dst = le.AppendUint64(dst, v.Bytes)
	return le.AppendUint64(dst, v.Offset)
}

// ParseDrop decodes the payload of a DROP event.
func ParseDrop(p []byte) (Drop, error) {
	if err := fixed(p, dropLen, "drop"); err != nil {
		return Drop{}, err
	}
	return Drop{
		Cause: DropCause(p[0]), Events: le.Uint64(p[8:]),
		Bytes: le.Uint64(p[16:]), Offset: le.Uint64(p[24:]),
	}, nil
}

// AppendTo appends the encoded payload to dst.
func (v *Clock) AppendTo(dst []byte) []byte {
	dst = le.AppendUint64(dst, uint64(v.Wall))
	return le.AppendUint64(dst, v.Mono)
}

// ParseClock decodes the payload of a CLOCK event.
func ParseClock(p []byte) (Clock, error) {
	if err := fixed(p, clockLen, "clock"); err != nil {
		return Clock{}, err
	}
	return Clock{Wall: int64(le.Uint64(p)), Mono: le.Uint64(p[8:])}, nil
}

// AppendTo appends the encoded payload to dst.
func (v *Handshake) AppendTo(dst []byte) []byte {
	dst = append(dst, bit(v.OK), bit(v.Bound), 0, 0, 0, 0, 0, 0)
	return le.AppendUint64(dst, v.Dur)
}

// ParseHandshake decodes the payload of a HANDSHAKE event.
func ParseHandshake(p []byte) (Handshake, error) {
	if err := fixed(p, handshakeLen, "handshake"); err != nil {
		return Handshake{}, err
	}
	return Handshake{OK: p[0] != 0, Bound: p[1] != 0, Dur: le.Uint64(p[8:])}, nil
}

func bit(v bool) uint8 {
	if v {
		return 1
	}
	return 0
}
