package format

import (
	"bytes"
	"math"
)

const (
	endReason = iota + 1
	endEvents
	endBytes
	endLostEvents
	endLostBytes
	endNext
	endCause
	endCPU
	endLocal
)

// AppendTo appends the encoded payload to dst.
func (v *End) AppendTo(dst []byte) []byte {
	dst = appendText(dst, endReason, v.Reason)
	dst = appendWord(dst, endEvents, v.Events)
	dst = appendWord(dst, endBytes, v.Bytes)
	dst = appendWord(dst, endLostEvents, v.LostEvents)
	dst = appendWord(dst, endLostBytes, v.LostBytes)
	dst = appendWord(dst, endNext, uint64(v.Next))
	for _, c := range v.Causes[:min(len(v.Causes), MaxList)] {
		dst = appendWords(dst, endCause, uint64(c.Cause), c.Events, c.Bytes)
	}
	for _, c := range v.CPUs[:min(len(v.CPUs), MaxList)] {
		dst = appendWords(dst, endCPU, c.CPU, c.Sent.Events, c.Sent.Bytes, c.Lost.Events, c.Lost.Bytes)
	}
	if v.Conns|v.Local.Events|v.Local.Bytes != 0 {
		dst = appendWords(dst, endLocal, v.Conns, v.Local.Events, v.Local.Bytes)
	}
	return dst
}

// ParseEnd decodes the payload of an END event. The result does not alias p.
func ParseEnd(p []byte) (End, error) {
	var v End
	s := scanner{what: "end", rest: p}
	for s.next() {
		switch s.typ {
		case endReason:
			v.Reason = s.text()
		case endEvents:
			v.Events = s.word()
		case endBytes:
			v.Bytes = s.word()
		case endLostEvents:
			v.LostEvents = s.word()
		case endLostBytes:
			v.LostBytes = s.word()
		case endNext:
			v.Next = s.u32()
		case endCause:
			if w := s.row(len(v.Causes), 3); w != nil {
				if w[0] > math.MaxUint8 {
					s.fail("cause %d", w[0])
				}
				v.Causes = append(v.Causes, CauseCount{DropCause(w[0]), Count{w[1], w[2]}})
			}
		case endCPU:
			if w := s.row(len(v.CPUs), 5); w != nil {
				v.CPUs = append(v.CPUs, CPUCount{w[0], Count{w[1], w[2]}, Count{w[3], w[4]}})
			}
		case endLocal:
			if w := s.words(3); w != nil {
				v.Conns, v.Local = w[0], Count{w[1], w[2]}
			}
		default:
			s.unknown()
		}
	}
	return v, s.err
}

// same reports whether two say the same.
func (v *End) same(w *End) bool { return bytes.Equal(v.AppendTo(nil), w.AppendTo(nil)) }

// Generated is what the probes made, recorded or lost, as far as a processor is known
// for it.
func (v *End) Generated() (sum Count) {
	for _, c := range v.CPUs {
		sum.Events = addSat(addSat(sum.Events, c.Sent.Events), c.Lost.Events)
		sum.Bytes = addSat(addSat(sum.Bytes, c.Sent.Bytes), c.Lost.Bytes)
	}
	return sum
}
