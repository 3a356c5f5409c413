package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/format/disk"
	"github.com/NoFear0411/spliff/format/sealed"
)

// fileFlags say where record puts the session and how.
type fileFlags struct {
	out           string
	force, append bool
	rotate        rotateValue
	keep          int
	maxSize       fileSize
	sync          string
	recipientFlags
}

// register adds the flags to fs.
func (f *fileFlags) register(fs *pflag.FlagSet) {
	fs.StringVarP(&f.out, "output", "o", "", "session `FILE` to write, - for stdout")
	fs.BoolVar(&f.force, "force", false, "replace an existing file, with --rotate all files of that name; not a .part that a killed run left")
	fs.BoolVar(&f.append, "append", false, "add to the end of an existing session")
	fs.Var(&f.rotate, "rotate", "go on in a new file at this size or after this time (repeatable: both)")
	fs.IntVar(&f.keep, "keep", 0, "with --rotate: keep the newest `N` files, delete older ones")
	fs.Var(&f.maxSize, "max-size", "end the recording when about this much has been written, in all files")
	fs.StringVar(&f.sync, "sync", disk.SyncInterval.String(), "make it survive a power failure: `POLICY` none, interval (each second) or chunk (each write)")
	f.recipientFlags.register(fs)
}

// check refuses flags that contradict each other. changed tells whether a flag was
// given.
func (f *fileFlags) check(changed func(string) bool) error {
	toFile := f.out != "" && f.out != stdio
	for _, name := range []string{"force", "append", "rotate", "keep", "sync"} {
		if changed(name) && !toFile {
			return usagef("--%s is for -o FILE", name)
		}
	}
	for _, name := range []string{"max-size", "encrypt-to", "recipients-file"} {
		if changed(name) && f.out == "" {
			return usagef("--%s is for a session: give -o FILE or -o -", name)
		}
	}
	if _, err := disk.ParseSync(f.sync); err != nil {
		return usagef("--sync %s: give none, interval or chunk", f.sync)
	}
	switch {
	case changed("keep") && f.keep < 1:
		return usagef("--keep %d: give a number of files, at least 1", f.keep)
	case changed("keep") && !f.rotate.set():
		return usagef("--keep is for --rotate: it deletes older files of the same recording")
	case changed("max-size") && f.maxSize == 0:
		return usagef("--max-size 0: give the size at which to end")
	}
	if err := f.checkAppend(); err != nil {
		return err
	}
	if !toFile {
		return nil
	}
	return f.checkName(f.out)
}

func (f *fileFlags) checkAppend() error {
	if !f.append {
		return nil
	}
	switch {
	case f.force:
		return usagef("--append and --force contradict: one keeps the file, one replaces it")
	case f.rotate.set():
		return usagef("--append does not go with --rotate: one adds to a file, one makes new ones")
	case f.encrypted(), encryptedName(f.out):
		return usagef("--append does not go with encryption: nothing can be added to an encrypted file")
	}
	return nil
}

// open makes the place of the session, nil if none is written. What cannot be
// encrypted to is an error here, before anything is attached or made.
func (f *fileFlags) open(e *env) (*disk.Store, error) {
	if f.out == "" {
		return nil, nil
	}
	keys, err := f.keys()
	if err != nil {
		return nil, err
	}
	policy, err := disk.ParseSync(f.sync)
	if err != nil {
		return nil, err
	}
	o := disk.Options{
		Now: e.now, Sync: policy, Replace: f.force, Keep: f.keep,
		RotateBytes: int64(f.rotate.size), RotateAge: f.rotate.age,
		Report: func(err error) { e.say("spliff: record: %s", oneLine(err)) },
	}
	if len(keys) > 0 {
		o.Wrap = func(w io.Writer) (disk.Layer, error) { return sealed.NewWriter(w, keys...) }
	}
	switch {
	case f.out == stdio:
		return disk.Stream(e.stdout, o)
	case f.append:
		return appendSession(f.out, o)
	}
	return disk.Create(f.out, o)
}

// queueBytes is how much may wait for the compressor. Beyond it the kernel's ring
// is the buffer, and beyond that plaintext is shed.
const queueBytes = 32 << 20

// writer returns the options of the session's writer, which writes to store.
func (f *fileFlags) writer(store *disk.Store) format.WriterOptions {
	// One compressor beside the goroutine that drains the kernel: the two together
	// must not take the recorded programs' CPUs.
	o := format.WriterOptions{Workers: 1, QueueBytes: queueBytes, NoSeekTable: f.append}
	o.ChunkBytes = f.chunkBytes()
	if f.rotate.set() {
		o.Files = store
	}
	if f.encrypted() && f.sync == disk.SyncChunk.String() {
		o.Block = sealed.Block
	}
	return o
}

// Bounds of chunks that are made smaller to fit: below, each would cost more than
// it is worth; above is what a writer takes by itself.
const (
	minFitted = 16 << 10
	maxFitted = 1 << 20
)

// chunkBytes returns the size of chunks: an eighth of a bound of files, because a
// file misses its bound by up to a chunk. 0 leaves it to the writer.
func (f *fileFlags) chunkBytes() int {
	n := int64(8 * maxFitted)
	for _, bound := range []fileSize{f.rotate.size, f.maxSize} {
		if bound > 0 {
			n = min(n, int64(bound))
		}
	}
	if n == 8*maxFitted {
		return 0
	}
	return int(max(n/8, minFitted))
}

// appendSession opens name for one more section, if it is a session in order: what
// is behind a torn end could be taken for a part of what is missing.
func appendSession(name string, o disk.Options) (*disk.Store, error) {
	s, err := disk.Append(name, o)
	if err != nil {
		return nil, err
	}
	if err := inOrder(name); err != nil {
		s.Discard()
		return nil, fmt.Errorf("append to %s: %w", name, err)
	}
	return s, nil
}

// inOrder returns what is wrong with a session: by its footer, or its headers.
func inOrder(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	s, err := format.Open(f, fi.Size(), format.ReaderOptions{})
	switch {
	case err != nil:
		return err
	case s.Whole():
		return errors.New("it was compressed by another program: nothing can be added to it")
	case len(s.Damage()) > 0:
		return fmt.Errorf("the session is damaged, nothing is added to it: %s; add to what spliff recover makes of it", s.Damage()[0])
	}
	return nil
}

// rotateValue is a flag that holds a size, a duration, or one of each.
type rotateValue struct {
	size fileSize
	age  time.Duration
}

// Bounds of rotation: below, files would be made faster than anybody wants.
const (
	minRotate    = 64 << 10
	minRotateAge = time.Second
)

func (v *rotateValue) set() bool { return v.size > 0 || v.age > 0 }

// Set takes "100MiB" or "1h". "5m" is five minutes, as everywhere else with
// durations; "5M" is a size.
func (v *rotateValue) Set(s string) error {
	if d, err := time.ParseDuration(s); err == nil && s != "0" {
		switch {
		case d < minRotateAge:
			return fmt.Errorf("%s is too short: at least %s", s, minRotateAge)
		case v.age > 0:
			return fmt.Errorf("%s and %s are two durations: give one, and a size if wanted", v.age, d)
		}
		v.age = d
		return nil
	}
	n, ok := parseSize(s, maxFileSize)
	switch {
	case !ok:
		return fmt.Errorf("neither a size nor a duration: %q (examples: 100MiB, 1h)", s)
	case n < minRotate:
		return fmt.Errorf("%s is too small: at least 64KiB", s)
	case v.size > 0:
		return fmt.Errorf("%s and %s are two sizes: give one, and a duration if wanted", &v.size, s)
	}
	v.size = fileSize(n)
	return nil
}

// String returns what is set.
func (v *rotateValue) String() string {
	s := v.size.String()
	if v.age > 0 {
		s = strings.TrimSpace(s + " " + v.age.String())
	}
	return s
}

// Type names the value in help texts.
func (v *rotateValue) Type() string { return "SIZE|DURATION" }
