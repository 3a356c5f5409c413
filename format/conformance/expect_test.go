package conformance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// damage is a part of a file that cannot be read. Offset is nil in a bare file,
// where what a reader has consumed is its own affair.
type damage struct {
	Kind   string `json:"kind"`
	Offset *int64 `json:"offset,omitempty"`
	Size   *int64 `json:"size,omitempty"`
}

// expectation is what a reader must make of a file.
type expectation struct {
	// Why is for people: what is special about the file.
	Why string `json:"why"`
	// Error is set if it is no session at all; then the rest is empty.
	Error string `json:"error,omitempty"`
	// Footer says whether the file can be opened by its end: agrees, may or none.
	Footer string   `json:"footer"`
	Events []any    `json:"events"`
	Damage []damage `json:"damage"`
	// Lies are what headers and footers say that is not so. A reader that compares
	// them with the events must tell; nothing is lost by them.
	Lies []damage `json:"lies,omitempty"`
}

// shownBytes is the most bytes of a payload that are written out.
const shownBytes = 256

// typeNames are the types that 1.1 has names for.
func typeNames() []string {
	return []string{1: "DATA", "CONN", "CONN_END", "PROC", "PROC_END", "DROP", "CLOCK", "SESSION", "PROBE", "KEYLOG", "ATTACH", "MARK", "TICK", "END", "HANDSHAKE", "UNWATCHED"}
}

func typeName(typ uint8) string {
	if names := typeNames(); typ > 0 && int(typ) < len(names) {
		return names[typ]
	}
	return strconv.Itoa(int(typ))
}

// textJSON is captured text as a string, or in hexadecimal if it is not UTF-8.
func textJSON(s string) any {
	if utf8.ValidString(s) {
		return s
	}
	return map[string]any{"hex": hex.EncodeToString([]byte(s))}
}

// putBytes shows a payload that has no fields.
func putBytes(m map[string]any, b []byte, asText bool) {
	readable := utf8.Valid(b) && strings.IndexFunc(string(b), func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\r' && r != '\n' && r != '\t'
	}) < 0
	switch {
	case len(b) > shownBytes:
		sum := sha256.Sum256(b)
		m["len"], m["sha256"] = len(b), hex.EncodeToString(sum[:])
	case len(b) == 0:
	case asText && readable:
		m["text"] = string(b)
	default:
		m["hex"] = hex.EncodeToString(b)
	}
}

// put sets a member unless its value is the zero one, which a missing member means.
func put(m map[string]any, name string, v any) {
	if v != nil && !reflect.ValueOf(v).IsZero() {
		m[name] = v
	}
}

// json is what a reader must say of e.
func (e event) json() map[string]any {
	m := map[string]any{"type": typeName(e.typ), "seq": e.seq}
	put(m, "flags", e.flags&^flagOptions)
	put(m, "time", e.time)
	put(m, "conn", e.conn)
	put(m, "tid", e.tid)
	put(m, "cpu", e.cpu)
	put(m, "dir", e.dir)
	put(m, "probe", e.probe)
	put(m, "offset", e.offset)
	put(m, "dur", e.dur)
	put(m, "repeat", e.isRepeat())
	switch {
	case e.malformed:
		m["malformed"] = true
		putBytes(m, e.raw, true)
	case e.fields != nil:
		fields := map[string]any{}
		for name, v := range e.fields {
			put(fields, name, v)
		}
		m["fields"] = fields
	default:
		putBytes(m, e.raw, e.typ == typeData)
	}
	return m
}

// memberOrder is the order of an event's members in the files, for people.
func memberOrder() []string {
	return []string{"type", "seq", "flags", "repeat", "time", "conn", "tid", "cpu", "dir", "probe", "offset", "dur", "malformed", "fields", "text", "hex", "len", "sha256"}
}

// marshal writes x with a line for each event and each damage.
func (x expectation) marshal() []byte {
	var b bytes.Buffer
	b.WriteString("{\n \"why\": " + compact(x.Why))
	if x.Error != "" {
		b.WriteString(",\n \"error\": " + compact(x.Error))
	}
	b.WriteString(",\n \"footer\": " + compact(x.Footer) + ",\n \"events\": [")
	for i, e := range x.Events {
		b.WriteString(separator(i) + "  " + ordered(e.(map[string]any)))
	}
	b.WriteString("\n ],\n \"damage\": [")
	for i, d := range x.Damage {
		b.WriteString(separator(i) + "  " + compact(d))
	}
	for i, d := range x.Lies {
		if i == 0 {
			b.WriteString("\n ],\n \"lies\": [")
		}
		b.WriteString(separator(i) + "  " + compact(d))
	}
	b.WriteString("\n ]\n}\n")
	return b.Bytes()
}

func separator(i int) string {
	if i == 0 {
		return "\n"
	}
	return ",\n"
}

func ordered(e map[string]any) string {
	var parts []string
	for _, name := range memberOrder() {
		if v, ok := e[name]; ok {
			parts = append(parts, compact(name)+": "+compact(v))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func compact(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // made of maps, strings and numbers
	}
	return strings.TrimRight(b.String(), "\n")
}

// plainJSON is v as it comes back from JSON, numbers as they are written: so
// what a reader gives and what a file says can be compared.
func plainJSON(v any) any {
	dec := json.NewDecoder(strings.NewReader(compact(v)))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		panic(err)
	}
	return out
}
