package eventjson

import (
	"bytes"

	"github.com/NoFear0411/spliff/format"
)

// The payloads, field by field. Names are those of FORMAT.md; where it gives the
// values of a field in words, so do we.

func connFields(c *codec, v *format.Conn) {
	small(c, "pid", &v.PID)
	c.pointer("ssl", &v.SSL)
	small(c, "generation", &v.Generation)
	c.u64("cookie", &v.Cookie)
	word(c, "role", &v.Role, roleName)
	c.flag("mid_stream", &v.MidStream)
	c.address("local", &v.Local)
	c.address("remote", &v.Remote)
	c.text("alpn", &v.ALPN)
	small(c, "conflicts", &v.Conflicts)
	c.u64("start", &v.Start)
	small(c, "version", &v.Version)
	small(c, "cipher", &v.Cipher)
	c.text("sni", &v.SNI)
}

func connEndFields(c *codec, v *format.ConnEnd) {
	word(c, "reason", &v.Reason, reasonName)
	c.flag("shutdown", &v.Shutdown)
	c.u64("written", &v.Written)
	c.u64("read", &v.Read)
	c.u64("lost_written", &v.Lost[0])
	c.u64("lost_read", &v.Lost[1])
	c.u64("ring_full_written", &v.Causes[0].RingFull)
	c.u64("fault_written", &v.Causes[0].Fault)
	c.u64("snaplen_written", &v.Causes[0].Snaplen)
	c.u64("ring_full_read", &v.Causes[1].RingFull)
	c.u64("fault_read", &v.Causes[1].Fault)
	c.u64("snaplen_read", &v.Causes[1].Snaplen)
}

func procFields(c *codec, v *format.Proc) {
	small(c, "pid", &v.PID)
	small(c, "ppid", &v.PPID)
	small(c, "uid", &v.UID)
	c.u64("start", &v.Start)
	c.text("comm", &v.Comm)
	c.text("exe", &v.Exe)
	c.list("arg", &v.Args)
	c.text("cgroup", &v.Cgroup)
	c.ancestors("ancestor", &v.Ancestors)
	word(c, "origin", &v.Origin, originName)
	c.u64("cgroup_id", &v.CgroupID)
	c.flag("args_cut", &v.ArgsCut)
	c.flag("context", &v.Context)
}

func procEndFields(c *codec, v *format.ProcEnd) {
	small(c, "pid", &v.PID)
	c.u64("start", &v.Start)
	c.u64("time", &v.Time)
	small(c, "status", &v.Status)
	c.flag("exited", &v.Exited)
}

func dropFields(c *codec, v *format.Drop) {
	word(c, "cause", &v.Cause, causeName)
	c.u64("events", &v.Events)
	c.u64("bytes", &v.Bytes)
	c.u64("offset", &v.Offset)
}

func clockFields(c *codec, v *format.Clock) {
	c.i64("wall", &v.Wall)
	c.u64("mono", &v.Mono)
}

func sessionFields(c *codec, v *format.Session) {
	c.text("writer", &v.Writer)
	c.text("host", &v.Host)
	c.text("kernel", &v.Kernel)
	c.text("arch", &v.Arch)
	c.list("command", &v.Command)
	c.text("filter", &v.Filter)
	c.uuid("uuid", &v.UUID)
	c.i64("wall", &v.Wall)
	c.u64("mono", &v.Mono)
	c.i32("utc_offset", &v.UTCOffset)
}

func probeFields(c *codec, v *format.Probe) {
	small(c, "id", &v.ID)
	c.text("library", &v.Library)
	c.text("path", &v.Path)
	c.text("build_id", &v.BuildID)
	c.list("site", &v.Sites)
}

func endFields(c *codec, v *format.End) {
	c.text("reason", &v.Reason)
	c.u64("events", &v.Events)
	c.u64("bytes", &v.Bytes)
	c.u64("lost_events", &v.LostEvents)
	c.u64("lost_bytes", &v.LostBytes)
	small(c, "next", &v.Next)
	rows(c, "cause", &v.Causes, func(r *format.CauseCount, cell func(*uint64)) {
		cause := uint64(r.Cause)
		cell(&cause)
		cell(&r.Events)
		cell(&r.Bytes)
		if r.Cause = format.DropCause(cause); uint64(r.Cause) != cause {
			c.in.fail("cause: %d is over 255", cause)
		}
	})
	rows(c, "cpu", &v.CPUs, func(r *format.CPUCount, cell func(*uint64)) {
		for _, n := range []*uint64{&r.CPU, &r.Sent.Events, &r.Sent.Bytes, &r.Lost.Events, &r.Lost.Bytes} {
			cell(n)
		}
	})
	c.u64("local_conns", &v.Conns)
	c.u64("local_events", &v.Local.Events)
	c.u64("local_bytes", &v.Local.Bytes)
}

func unwatchedFields(c *codec, v *format.Unwatched) {
	c.text("library", &v.Library)
	c.text("path", &v.Path)
	c.text("build_id", &v.BuildID)
	c.text("reason", &v.Reason)
}

func handshakeFields(c *codec, v *format.Handshake) {
	c.flag("ok", &v.OK)
	c.flag("bound", &v.Bound)
	c.u64("dur", &v.Dur)
}

// payload goes through the fields of the payload of t. Writing, it appends raw
// as an object and reports whether that is raw, byte for byte; reading, it
// appends the encoded payload to raw. It is false for a type without fields.
func (c *codec) payload(t format.Type, raw []byte) ([]byte, bool) {
	switch t {
	case format.TypeConn:
		return through(c, raw, format.ParseConn, (*format.Conn).AppendTo, connFields)
	case format.TypeConnEnd:
		return through(c, raw, format.ParseConnEnd, (*format.ConnEnd).AppendTo, connEndFields)
	case format.TypeProc:
		return through(c, raw, format.ParseProc, (*format.Proc).AppendTo, procFields)
	case format.TypeProcEnd:
		return through(c, raw, format.ParseProcEnd, (*format.ProcEnd).AppendTo, procEndFields)
	case format.TypeDrop:
		return through(c, raw, format.ParseDrop, (*format.Drop).AppendTo, dropFields)
	case format.TypeClock:
		return through(c, raw, format.ParseClock, (*format.Clock).AppendTo, clockFields)
	case format.TypeSession:
		return through(c, raw, format.ParseSession, (*format.Session).AppendTo, sessionFields)
	case format.TypeProbe:
		return through(c, raw, format.ParseProbe, (*format.Probe).AppendTo, probeFields)
	case format.TypeEnd:
		return through(c, raw, format.ParseEnd, (*format.End).AppendTo, endFields)
	case format.TypeHandshake:
		return through(c, raw, format.ParseHandshake, (*format.Handshake).AppendTo, handshakeFields)
	case format.TypeUnwatched:
		return through(c, raw, format.ParseUnwatched, (*format.Unwatched).AppendTo, unwatchedFields)
	}
	return raw, false
}

// through is payload for one struct.
func through[T any](c *codec, raw []byte, parse func([]byte) (T, error), encode func(*T, []byte) []byte, fields func(*codec, *T)) ([]byte, bool) {
	if c.in != nil {
		var v T
		c.object(func(c *codec) { fields(c, &v) })
		return encode(&v, raw), true
	}
	v, err := parse(raw)
	if err != nil {
		return raw, false
	}
	// What comes of the struct must be what was there: elements this version
	// does not know, or another order of them, would be lost.
	n := len(c.dst)
	c.dst = encode(&v, c.dst)
	same := bytes.Equal(c.dst[n:], raw)
	c.dst = append(c.dst[:n], '{')
	c.empty = true
	fields(c, &v)
	c.dst = append(c.dst, '}')
	return raw, same && !c.lossy
}
