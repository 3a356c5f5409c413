package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/NoFear0411/spliff/format"
)

// jsonInfo is one line of info --json. Keys are added, never changed.
type jsonInfo struct {
	V        int           `json:"v"`
	File     wild          `json:"file"`
	Size     int64         `json:"size"`
	All      bool          `json:"all"` // read to its end
	Bare     bool          `json:"bare,omitempty"`
	Sections []jsonSection `json:"sections"`
	More     int           `json:"more_sections,omitempty"`
	Damage   []jsonDamage  `json:"damage"`
	// Of an encrypted file size and offsets are those of the session inside.
	Encrypted bool     `json:"encrypted,omitempty"`
	Faults    []string `json:"faults,omitempty"` // what of it does not authenticate
}

type jsonDamage struct {
	Offset int64             `json:"offset"`
	Size   int64             `json:"size"`
	Kind   format.DamageKind `json:"kind"`
	Detail wild              `json:"detail"`
}

type jsonSection struct {
	Offset   int64    `json:"offset"`
	Size     int64    `json:"size"`
	Headless bool     `json:"headless,omitempty"`
	Format   string   `json:"format"`
	FileNo   *uint32  `json:"file_no,omitempty"` // of a session in several files
	FirstSeq uint64   `json:"first_seq"`
	Footer   []string `json:"footer"`

	UUID    string `json:"uuid"`
	Writer  wild   `json:"writer,omitempty"`
	Command []wild `json:"command,omitempty"`
	Filter  wild   `json:"filter,omitempty"`
	Host    wild   `json:"host,omitempty"`
	Kernel  wild   `json:"kernel,omitempty"`
	Arch    wild   `json:"arch,omitempty"`
	Start   string `json:"start"` // of the session, by the recording host's clock

	Chunks     uint64       `json:"chunks"`
	ChunkBytes int64        `json:"chunk_bytes"`
	Summary    *jsonSummary `json:"summary"`
}

type jsonSummary struct {
	Begin    string            `json:"begin"`
	End      string            `json:"end"`
	Duration uint64            `json:"duration_ns"`
	RawBytes uint64            `json:"raw_bytes"`
	Events   uint64            `json:"events"`
	Counts   map[string]uint64 `json:"by_type"`
	Written  uint64            `json:"written"`
	Read     uint64            `json:"read"`
	Conns    uint64            `json:"connections"`
	Procs    uint64            `json:"processes"`
	Known    []jsonKnown       `json:"known_processes,omitempty"`
	Probes   []jsonProbe       `json:"libraries,omitempty"`
	// What else there was, and is not in the session.
	Unwatched []jsonUnwatched `json:"unwatched,omitempty"`
	Clocks    []jsonClock     `json:"clocks,omitempty"` // first and last reading
	Lost      jsonLost        `json:"lost"`
	Causes    []jsonLost      `json:"lost_by_cause,omitempty"`
	Closed    *jsonClosed     `json:"closed"` // null: not in order
}

type jsonKnown struct {
	PID    uint32 `json:"pid"`
	PPID   uint32 `json:"ppid,omitempty"`
	UID    uint32 `json:"uid"`
	Comm   wild   `json:"comm,omitempty"`
	Exe    wild   `json:"exe,omitempty"`
	Args   []wild `json:"args,omitempty"`
	Cgroup wild   `json:"cgroup,omitempty"`
}

type jsonProbe struct {
	ID      uint8  `json:"id"`
	Library wild   `json:"library"`
	Path    wild   `json:"path"`
	BuildID wild   `json:"build_id,omitempty"`
	Sites   []wild `json:"sites,omitempty"`
}

type jsonUnwatched struct {
	Library wild `json:"library,omitempty"`
	Path    wild `json:"path"`
	BuildID wild `json:"build_id,omitempty"`
	Reason  wild `json:"reason"`
}

type jsonClock struct {
	Wall int64  `json:"wall"`
	Mono uint64 `json:"mono"`
}

type jsonLost struct {
	Cause  string `json:"cause,omitempty"`
	Places uint64 `json:"places"`
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"`
}

type jsonClosed struct {
	Reason wild   `json:"reason"`
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"`
	Next   uint32 `json:"next,omitempty"`
	// What the probes made: recorded and lost.
	Generated *jsonCount `json:"generated,omitempty"`
	CPUs      []jsonCPU  `json:"processors,omitempty"`
	Local     *jsonLocal `json:"left_out_local,omitempty"`
}

type jsonCount struct {
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"`
}

type jsonCPU struct {
	CPU  uint64    `json:"processor"`
	Sent jsonCount `json:"recorded"`
	Lost jsonCount `json:"lost"`
}

type jsonLocal struct {
	Conns uint64 `json:"connections"`
	jsonCount
}

// InfoJSON describes a session file as one line of JSON.
func InfoJSON(w io.Writer, f *SessionInfo) error {
	v := jsonInfo{V: 1, File: wild(f.Name), Size: f.Size, All: f.All, Bare: f.Bare, More: f.More,
		Encrypted: f.Encrypted, Faults: f.Faults, Sections: []jsonSection{}, Damage: []jsonDamage{}}
	for i := range f.Sections {
		v.Sections = append(v.Sections, jsonSectionOf(&f.Sections[i]))
	}
	for _, d := range f.Damage {
		v.Damage = append(v.Damage, jsonDamage{d.Offset, d.Size, d.Kind, wild(d.Detail)})
	}
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(v); err != nil {
		return fmt.Errorf("encode info: %w", err)
	}
	_, err := w.Write(inert(buf.Bytes()))
	return err
}

func jsonSectionOf(s *format.Section) jsonSection {
	h := &s.Header
	var id screen
	id.uuid(h.UUID)
	j := jsonSection{Offset: s.Offset, Size: s.Size, Headless: s.Headless, Format: "1." + strconv.Itoa(int(s.Minor)), FirstSeq: s.FirstSeq,
		UUID: string(id.buf), Writer: wild(h.Writer), Command: wilds(h.Command), Filter: wild(h.Filter), Host: wild(h.Host),
		Kernel: wild(h.Kernel), Arch: wild(h.Arch), Start: stamp(h.Wall, h.UTCOffset), Footer: []string{},
		Chunks: chunksOf(s), ChunkBytes: s.ChunkBytes}
	if s.Member && !s.Headless {
		j.FileNo = &s.FileNo
	}
	for _, part := range []struct {
		has  bool
		name string
	}{{s.Footer.Index, "index"}, {s.Footer.Summary, "summary"}, {s.Footer.Trailer, "trailer"}, {s.Footer.SeekTable, "seek_table"}} {
		if part.has {
			j.Footer = append(j.Footer, part.name)
		}
	}
	if s.Summary != nil {
		j.Summary = jsonSummaryOf(s)
	}
	return j
}

// stamp writes a time of the recording host.
func stamp(ns int64, offset int32) string {
	return time.Unix(0, ns).In(zone(offset)).Format(timeFormat)
}

func jsonSummaryOf(s *format.Section) *jsonSummary {
	v, off := s.Summary, s.Header.UTCOffset
	j := &jsonSummary{Begin: stamp(s.Wall(v.MinTime), off), End: stamp(s.Wall(v.MaxTime), off), Duration: v.MaxTime - v.MinTime,
		RawBytes: v.RawBytes, Events: v.Events, Counts: map[string]uint64{}, Written: v.Written, Read: v.Read, Conns: v.Conns,
		Procs: v.Procs, Lost: jsonLostOf(v.Lost)}
	j.Lost.Cause = ""
	for t, n := range v.Counts {
		name := t.Name()
		if name == "" {
			name = strconv.Itoa(int(t))
		}
		j.Counts[name] = n
	}
	for i := range v.Known {
		p := &v.Known[i]
		j.Known = append(j.Known, jsonKnown{p.PID, p.PPID, p.UID, wild(p.Comm), wild(p.Exe), wilds(p.Args), wild(p.Cgroup)})
	}
	for i := range v.Probes {
		p := &v.Probes[i]
		j.Probes = append(j.Probes, jsonProbe{p.ID, wild(p.Library), wild(p.Path), wild(p.BuildID), wilds(p.Sites)})
	}
	for _, u := range v.Unwatched {
		j.Unwatched = append(j.Unwatched, jsonUnwatched{wild(u.Library), wild(u.Path), wild(u.BuildID), wild(u.Reason)})
	}
	if v.Counts[format.TypeClock] > 0 {
		j.Clocks = []jsonClock{jsonClock(v.First), jsonClock(v.Last)}
	}
	for _, d := range v.Drops {
		j.Causes = append(j.Causes, jsonLostOf(d))
	}
	if e := v.End; e != nil {
		j.Closed = &jsonClosed{Reason: wild(e.Reason), Events: e.Events, Bytes: e.Bytes, Next: e.Next}
		for _, c := range e.CPUs {
			j.Closed.CPUs = append(j.Closed.CPUs, jsonCPU{c.CPU, jsonCount(c.Sent), jsonCount(c.Lost)})
		}
		if len(e.CPUs) > 0 {
			all := jsonCount(e.Generated())
			j.Closed.Generated = &all
		}
		if e.Conns > 0 {
			j.Closed.Local = &jsonLocal{e.Conns, jsonCount(e.Local)}
		}
	}
	return j
}

// jsonLostOf names a cause by the word of the events form of a session.
func jsonLostOf(d format.DropSum) jsonLost {
	names := [...]string{"unknown", "ring_full", "fault", "snaplen", "no_state", "missed", "control", "writer", "edited"}
	name := strconv.Itoa(int(d.Cause))
	if int(d.Cause) < len(names) {
		name = names[d.Cause]
	}
	return jsonLost{name, d.Drops, d.Events, d.Bytes}
}
