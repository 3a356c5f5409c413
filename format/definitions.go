package format

// definition is the latest CONN, PROC or PROBE event of one id, kept so that a
// chunk that needs it can repeat it.
type definition struct {
	ev    Event // Payload is a copy; nil when the id is referred to but not yet defined
	known bool
	chunk uint64 // serial of the last chunk that holds it

	proc  *definition // CONN: of the process it belongs to, nil if none
	pid   uint32      // CONN, PROC
	users int         // PROC: connections that refer to it
	ended bool        // PROC
}

// set makes ev the latest definition, and returns by how much that grows. The
// payload buffer is reused.
func (d *definition) set(ev *Event) int {
	grown := len(ev.Payload) - len(d.ev.Payload)
	payload := append(d.ev.Payload[:0], ev.Payload...)
	d.ev = *ev
	d.ev.Payload = payload
	d.known = true
	return grown
}

// definitions is what is alive: it holds a connection until its CONN_END, and a
// process until its PROC_END and the end of its last connection. Its size is
// therefore bounded by the recorded machine, not by the length of the session; and
// by maxAlive, for a hostile session that is copied.
type definitions struct {
	bytes  int // about, of conns and procs
	conns  map[uint32]*definition
	procs  map[uint32]*definition
	probes [256]*definition
	spare  []*definition // of connections that ended: new ones need no memory
}

// maxAlive is how many bytes of definitions are held: some 300,000 connections.
// Beyond it all are forgotten, so that later chunks lack them. defCost is what a
// definition costs besides its payload.
const (
	maxAlive = 96 << 20
	defCost  = 256
)

func newDefinitions() definitions {
	return definitions{conns: map[uint32]*definition{}, procs: map[uint32]*definition{}}
}

// learn takes note of an event that has been written to the chunk serial.
func (d *definitions) learn(ev *Event, serial uint64) {
	if d.bytes > maxAlive {
		*d = definitions{conns: map[uint32]*definition{}, procs: map[uint32]*definition{}, probes: d.probes}
	}
	switch ev.Type {
	case TypeConn:
		d.learnConn(ev, serial)
	case TypeConnEnd:
		// The same id may come again: ids are the recorder's business.
		if c := d.conns[ev.Conn]; c != nil {
			d.release(c.proc)
			delete(d.conns, ev.Conn)
			d.bytes -= len(c.ev.Payload) + defCost
			*c = definition{ev: Event{Payload: c.ev.Payload[:0]}}
			d.spare = append(d.spare, c)
		}
	case TypeProc:
		// A PID used again, or a new program in it, replaces what was known.
		p := d.proc(uint32(findWord(ev.Payload, procPID)))
		d.bytes += p.set(ev)
		p.chunk, p.ended = serial, false
	case TypeProcEnd:
		if p := d.procs[endedPID(ev)]; p != nil {
			p.ended = true
			d.drop(p)
		}
	case TypeProbe:
		id := uint8(findWord(ev.Payload, probeID))
		if d.probes[id] == nil {
			d.probes[id] = &definition{}
		}
		d.probes[id].set(ev)
		d.probes[id].chunk = serial
	}
}

func (d *definitions) learnConn(ev *Event, serial uint64) {
	c := d.conns[ev.Conn]
	if c == nil {
		c = d.fresh()
		d.conns[ev.Conn] = c
		d.bytes += defCost
	}
	d.bytes += c.set(ev)
	c.chunk = serial
	pid := uint32(findWord(ev.Payload, connPID))
	if c.proc != nil && c.pid == pid {
		return
	}
	// The PID of a connection is corrected at most: fork does not move it.
	d.release(c.proc)
	c.pid, c.proc = pid, nil
	if pid != 0 {
		c.proc = d.proc(pid)
		c.proc.users++
	}
}

// fresh returns an empty definition.
func (d *definitions) fresh() *definition {
	n := len(d.spare)
	if n == 0 {
		return &definition{}
	}
	c := d.spare[n-1]
	d.spare = d.spare[:n-1]
	return c
}

// proc returns the entry of pid, made if need be: a connection may be described
// before its process is.
func (d *definitions) proc(pid uint32) *definition {
	p := d.procs[pid]
	if p == nil {
		p = &definition{pid: pid}
		d.procs[pid] = p
		d.bytes += defCost
	}
	return p
}

// release takes back one use of p.
func (d *definitions) release(p *definition) {
	if p != nil {
		p.users--
		d.drop(p)
	}
}

// drop forgets p if nothing can refer to it any more.
func (d *definitions) drop(p *definition) {
	if p.users == 0 && (p.ended || !p.known) {
		delete(d.procs, p.pid)
		d.bytes -= len(p.ev.Payload) + defCost
	}
}

// endedPID reads a PROC_END payload without trusting its length.
func endedPID(ev *Event) uint32 {
	end, err := ParseProcEnd(ev.Payload)
	if err != nil {
		return 0
	}
	return end.PID
}
