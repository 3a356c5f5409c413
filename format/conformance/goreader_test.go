package conformance

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/NoFear0411/spliff/format"
)

// readGo is what the reader of package format makes of a file that it reads from
// its start.
func readGo(file []byte, o format.ReaderOptions) (expectation, error) {
	r, err := format.NewReader(bytes.NewReader(file), o)
	if err != nil {
		return unread(file, err)
	}
	return drain(r)
}

func drainFrom(file []byte) (expectation, error) { return readGo(file, format.ReaderOptions{}) }

// openGo is what it makes of one that it opens by its end, if it can.
func openGo(file []byte) (x expectation, indexed bool, err error) {
	f, err := format.Open(bytes.NewReader(file), int64(len(file)), format.ReaderOptions{})
	if err != nil {
		x, err = unread(file, err)
		return x, false, err
	}
	x, err = drain(f.Select(format.Query{}))
	return x, f.Indexed(), err
}

// unread is a file that could not be opened.
func unread(file []byte, err error) (expectation, error) {
	switch {
	case errors.Is(err, format.ErrNotSession):
		return expectation{Error: notSession}, nil
	case errors.Is(err, format.ErrVersion):
		// Nothing in it can be read: to a program that is an error of its own.
		return expectation{Damage: []damage{lost("version", 0, len(file))}}, nil
	}
	return expectation{}, err
}

func drain(r *format.Reader) (expectation, error) {
	var x expectation
	for {
		var ev format.Event
		if err := r.Next(&ev); err == io.EOF {
			break
		} else if err != nil {
			return x, err
		}
		x.Events = append(x.Events, eventJSON(&ev))
	}
	for _, d := range r.Damage() {
		x.Damage = append(x.Damage, lost(string(d.Kind), int(d.Offset), int(d.Size)))
	}
	return x, nil
}

// eventJSON says of an event what [event.json] wants.
func eventJSON(ev *format.Event) map[string]any {
	e := event{typ: uint8(ev.Type), flags: uint16(ev.Flags), time: ev.Time, conn: ev.Conn, tid: ev.TID, seq: ev.Seq, cpu: ev.CPU,
		dir: uint8(ev.Dir), probe: ev.Probe, offset: ev.Offset, dur: ev.Dur}
	e.raw = ev.Payload
	fields, err := payloadFields(ev)
	if err != nil {
		e.malformed = true
	} else {
		e.fields = fields
	}
	return e.json()
}

// payloadFields names the fields of a payload as FORMAT.md does; nil for a type without.
func payloadFields(ev *format.Event) (map[string]any, error) {
	p := ev.Payload
	switch ev.Type {
	case format.TypeConn:
		v, err := format.ParseConn(p)
		return map[string]any{"pid": v.PID, "ssl": v.SSL, "generation": v.Generation, "cookie": v.Cookie, "role": v.Role, "mid_stream": v.MidStream,
			"local": addrJSON(v.Local), "remote": addrJSON(v.Remote), "alpn": textJSON(v.ALPN), "conflicts": v.Conflicts, "start": v.Start}, err
	case format.TypeConnEnd:
		v, err := format.ParseConnEnd(p)
		m := map[string]any{"reason": v.Reason, "shutdown": v.Shutdown, "written": v.Written, "read": v.Read, "lost_written": v.Lost[0], "lost_read": v.Lost[1]}
		for i, dir := range []string{"_written", "_read"} {
			m["ring_full"+dir], m["fault"+dir], m["snaplen"+dir] = v.Causes[i].RingFull, v.Causes[i].Fault, v.Causes[i].Snaplen
		}
		return m, err
	case format.TypeProc:
		v, err := format.ParseProc(p)
		return map[string]any{"pid": v.PID, "ppid": v.PPID, "uid": v.UID, "start": v.Start, "comm": textJSON(v.Comm), "exe": textJSON(v.Exe), "arg": listJSON(v.Args), "cgroup": textJSON(v.Cgroup), "ancestor": ancestorsJSON(v.Ancestors), "origin": v.Origin,
			"cgroup_id": v.CgroupID, "args_cut": v.ArgsCut, "context": v.Context}, err
	case format.TypeProcEnd:
		v, err := format.ParseProcEnd(p)
		return map[string]any{"pid": v.PID, "start": v.Start, "time": v.Time, "status": v.Status, "exited": v.Exited}, err
	case format.TypeDrop:
		v, err := format.ParseDrop(p)
		return map[string]any{"cause": v.Cause, "events": v.Events, "bytes": v.Bytes, "offset": v.Offset}, err
	case format.TypeClock:
		v, err := format.ParseClock(p)
		return map[string]any{"wall": v.Wall, "mono": v.Mono}, err
	case format.TypeHandshake:
		v, err := format.ParseHandshake(p)
		return map[string]any{"ok": v.OK, "ns": v.Dur}, err
	}
	return recordingFields(ev)
}

// recordingFields is payloadFields for what is said of the recording itself.
func recordingFields(ev *format.Event) (map[string]any, error) {
	p := ev.Payload
	switch ev.Type {
	case format.TypeSession:
		v, err := format.ParseSession(p)
		m := map[string]any{"writer": textJSON(v.Writer), "host": textJSON(v.Host), "kernel": textJSON(v.Kernel), "arch": textJSON(v.Arch), "command": listJSON(v.Command),
			"filter": textJSON(v.Filter), "wall": v.Wall, "mono": v.Mono, "utc_offset": v.UTCOffset}
		if v.UUID != [16]byte{} {
			m["uuid"] = hex.EncodeToString(v.UUID[:])
		}
		return m, err
	case format.TypeProbe:
		v, err := format.ParseProbe(p)
		return map[string]any{"id": v.ID, "library": textJSON(v.Library), "path": textJSON(v.Path), "build_id": textJSON(v.BuildID), "site": listJSON(v.Sites)}, err
	case format.TypeUnwatched:
		v, err := format.ParseUnwatched(p)
		return map[string]any{"library": textJSON(v.Library), "path": textJSON(v.Path), "build_id": textJSON(v.BuildID), "reason": textJSON(v.Reason)}, err
	case format.TypeEnd:
		v, err := format.ParseEnd(p)
		return map[string]any{"reason": textJSON(v.Reason), "events": v.Events, "bytes": v.Bytes, "lost_events": v.LostEvents, "lost_bytes": v.LostBytes, "next": v.Next,
			"cause": rowsJSON(v.Causes, func(c format.CauseCount) []any { return []any{c.Cause, c.Events, c.Bytes} }),
			"cpu": rowsJSON(v.CPUs, func(c format.CPUCount) []any {
				return []any{c.CPU, c.Sent.Events, c.Sent.Bytes, c.Lost.Events, c.Lost.Bytes}
			}),
			"local": rowsJSON(localOf(v), func(n []any) []any { return n })}, err
	}
	return nil, nil
}

func ancestorsJSON(list []format.Ancestor) any {
	var texts []string
	for _, a := range list {
		texts = append(texts, a.String())
	}
	return listJSON(texts)
}

// rowsJSON is a table, nil if it is empty.
func rowsJSON[T any](rows []T, cells func(T) []any) any {
	if len(rows) == 0 {
		return nil
	}
	var out []any
	for _, r := range rows {
		out = append(out, cells(r))
	}
	return out
}

func localOf(v format.End) [][]any {
	if v.Conns|v.Local.Events|v.Local.Bytes == 0 {
		return nil
	}
	return [][]any{{v.Conns, v.Local.Events, v.Local.Bytes}}
}

func listJSON(items []string) any {
	if len(items) == 0 {
		return nil
	}
	var out []any
	for _, s := range items {
		out = append(out, textJSON(s))
	}
	return out
}

func addrJSON(a netip.AddrPort) any {
	if !a.IsValid() {
		return nil
	}
	return fmt.Sprint(a)
}
