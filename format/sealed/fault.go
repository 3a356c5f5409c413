package sealed

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Fault is a part of an encrypted file that does not authenticate: it was damaged
// or changed, or it is cut.
type Fault struct {
	Offset, Size int64 // in the encrypted file
	// End: the file lacks its end. What is before Offset is authentic; that it is
	// all that was written is not.
	End bool
	// Another: another encrypted file seems to begin in it.
	Another bool
}

func (f Fault) String() string {
	switch {
	case f.Another:
		return fmt.Sprintf("several encrypted files one after the other, the second near byte %d: name them one by one instead of joining them", f.Offset)
	case f.End && f.Size == 0:
		return fmt.Sprintf("not authenticated to the end: the encrypted file is cut at byte %d, or still being written", f.Offset)
	case f.End:
		return fmt.Sprintf("not authenticated to the end: the encrypted file is cut inside its last block, %d bytes from byte %d", f.Size, f.Offset)
	}
	return fmt.Sprintf("%d bytes from byte %d of the encrypted file are damaged or were changed", f.Size, f.Offset)
}

// another reports whether a block that does not authenticate holds what may be the
// start of the next encrypted file.
func another(block []byte) bool { return bytes.Contains(block, []byte(intro+"v1\n")) }

// maxFaults bounds the list of a file that is damaged everywhere.
const maxFaults = 1000

// faults is what was found in one file. It is safe for concurrent use.
type faults struct {
	mu   sync.Mutex
	list []Fault
	end  *Fault
}

func (l *faults) add(f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.End {
		l.end = &f
		return
	}
	// A place that is read again comes again.
	if l.list = append(l.list, f); len(l.list) > 2*maxFaults {
		l.tidy()
	}
}

// tidy sorts the list and joins what overlaps or touches. The last entry of a full
// list stands for the rest.
func (l *faults) tidy() {
	slices.SortFunc(l.list, func(a, b Fault) int { return cmp.Compare(a.Offset, b.Offset) })
	out := l.list[:0]
	for _, f := range l.list {
		if n := len(out); n > 0 {
			if last := &out[n-1]; f.Offset <= last.Offset+last.Size || n == maxFaults {
				last.Another = last.Another || f.Another
				last.Size = max(last.Size, f.Offset+f.Size-last.Offset)
				continue
			}
		}
		out = append(out, f)
	}
	l.list = out
}

// Faults returns what was found so far, in file order.
func (l *faults) Faults() []Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tidy()
	all := slices.Clone(l.list)
	if l.end != nil {
		all = append(all, *l.end)
	}
	return all
}
