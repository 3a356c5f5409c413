package record

// State is the outcome of a [Check].
type State uint8

const (
	StateOK          State = iota
	StateWarning           // works, but is worth knowing
	StateLimit             // records less, or at a higher price
	StateBlocked           // nothing is recorded until it is mended
	StateUnsupported       // nothing can be recorded on this host
	StateAbsent            // is not there, and need not be
	StateUnchecked         // could not be looked at with these rights
)

// String returns the name that programs read.
func (s State) String() string {
	return [...]string{"ok", "warning", "limitation", "blocked", "unsupported", "absent", "unchecked"}[s]
}

// Check is one thing that a recording needs, or is better with.
type Check struct {
	Name  string
	State State
	Text  string // what was found, and what follows; may hold hostile paths
	Fix   string // a command, or what to do, "" if nothing is to be mended
}

// Report says what a host can do.
type Report struct {
	Checks []Check
	// Found is nil where libraries could not be looked for.
	Found *Inventory
}

// Verdict is the worst that stands against a recording: StateUnsupported,
// StateBlocked, StateUnchecked or else StateOK.
func (r *Report) Verdict() State {
	v := StateOK
	for _, c := range r.Checks {
		switch {
		case c.State == StateUnsupported, c.State == StateBlocked && v != StateUnsupported,
			c.State == StateUnchecked && v == StateOK:
			v = c.State
		}
	}
	return v
}
