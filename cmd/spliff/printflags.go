package main

import (
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/replay"
)

// maxWorkers is beyond what any machine gains from; each costs memory.
const maxWorkers = 256

// defaultBody is how much of a body is kept for printing and exporting.
const defaultBody = 32 << 20

// engineFlags say how to decode. The number of workers never changes the output;
// the limits may, and say so in it where they do.
type engineFlags struct {
	threads     int
	noThreading bool
	maxBody     sizeValue
	maxBodies   sizeValue
	idle        time.Duration
}

// register adds the flags, with their defaults, to fs.
func (f *engineFlags) register(fs *pflag.FlagSet) {
	f.maxBody, f.maxBodies = defaultBody, replay.DefaultBudget
	fs.IntVarP(&f.threads, "threads", "t", -1, "decode with `N` workers; 0 is none, -1 one per CPU; never changes the output")
	fs.BoolVar(&f.noThreading, "no-threading", false, "same as -t 0")
	fs.Var(&f.maxBody, "max-body", "keep at most this much of one body, as sent and decoded")
	fs.Var(&f.maxBodies, "max-bodies", "keep at most this much of all bodies that are not complete, together")
	fs.DurationVar(&f.idle, "idle", time.Duration(decode.DefaultIdle), "give up a stream or request on which nothing came for this long; 0 never does")
}

// workers returns the number of decoder workers.
func (f *engineFlags) workers() (int, error) {
	switch {
	case f.noThreading:
		return 0, nil
	case f.threads < -1:
		return 0, usagef("-t %d: give a number of workers, 0 for none, -1 for one per CPU", f.threads)
	case f.threads == -1:
		return runtime.GOMAXPROCS(0), nil
	case f.threads > maxWorkers:
		return 0, usagef("-t %d: at most %d workers", f.threads, maxWorkers)
	}
	return f.threads, nil
}

// options returns the engine's options; bodies tells whether any body is looked at.
func (f *engineFlags) options(bodies bool) (replay.Options, error) {
	n, err := f.workers()
	// Sizes and all that is on a line are counted even when no body is kept, so
	// that -b adds text and changes none.
	limits := decode.Limits{Body: -1}
	if bodies {
		limits.Body = int(f.maxBody) // content codings are removed by who prints
		limits.Hash = true
	}
	if limits.Idle = int64(f.idle); limits.Idle <= 0 {
		limits.Idle = -1 // 0 would mean the default
	}
	if limits.Body == 0 {
		limits.Body = -1 // 0 would mean the default
	}
	budget := int(f.maxBodies)
	if budget == 0 {
		budget = 1 // as good as none; 0 would mean the default
	}
	// No sink of this program keeps what it is given; export.Collected copies.
	return replay.Options{Workers: n, Limits: limits, Budget: budget, Transient: true}, err
}

// colourFlags say whether to colour.
type colourFlags struct {
	when string
	off  bool
}

// register adds the flags to fs.
func (f *colourFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.when, "color", "auto", "colour the output: auto, always or never")
	fs.BoolVarP(&f.off, "no-color", "C", false, "same as --color=never")
}

// colour decides with the environment; see env.colour.
func (f *colourFlags) colour(e *env) (bool, error) {
	switch {
	case f.off:
		return false, nil
	case f.when != "auto" && f.when != "always" && f.when != "never":
		return false, usagef("--color=%s: give auto, always or never", f.when)
	}
	return e.colour(f.when), nil
}

// textFlags say how to print messages; record --print and replay share them,
// so that what was seen live is what a replay prints.
type textFlags struct {
	engineFlags
	colourFlags
	bodies, hex, latency, compact, handshakes bool
}

// register adds the flags to fs, with the letters the C program's users know.
func (f *textFlags) register(fs *pflag.FlagSet) {
	f.engineFlags.register(fs)
	f.colourFlags.register(fs)
	fs.BoolVarP(&f.bodies, "body", "b", false, "print bodies, decoded")
	fs.BoolVarP(&f.hex, "hex", "x", false, "print bodies as hexdump with their file signature (implies -b)")
	fs.BoolVarP(&f.latency, "latency", "l", false, "print how long messages took")
	fs.BoolVarP(&f.compact, "compact", "c", false, "one line a message: no headers")
	fs.BoolVarP(&f.handshakes, "handshakes", "H", false, "print TLS handshakes")
}

// engine returns the engine's options for this output.
func (f *textFlags) engine() (replay.Options, error) {
	o, err := f.options(f.bodies || f.hex)
	o.Limits.Hash = false // it prints none
	return o, err
}

// text returns the printer's options.
func (f *textFlags) text(e *env) (export.TextOptions, error) {
	colour, err := f.colour(e)
	return export.TextOptions{
		Bodies:     f.bodies || f.hex,
		Content:    int(f.maxBody),
		Hex:        f.hex,
		Latency:    f.latency,
		Compact:    f.compact,
		Handshakes: f.handshakes,
		Color:      colour,
		ASCII:      e.ascii(),
		Pretty:     e.terminal(e.stdout),
	}, err
}
