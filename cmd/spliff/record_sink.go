package main

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/format/disk"
	"github.com/NoFear0411/spliff/record"
	"github.com/NoFear0411/spliff/replay"
)

// recorder is what the command needs of a [record.Session]: a seam, so that
// everything but the attaching is tested without root.
type recorder interface {
	Run(context.Context, record.Sink) error
	Info() format.Session
	Targets() []record.Target
	Troubles() []string
	Missing() []record.Feature
	Stats() record.Stats
	ChildExit() (code int, ok bool)
	Close() error
}

// openRecorder is [record.Open] as env wants it.
func openRecorder(ctx context.Context, o record.Options) (recorder, error) {
	s, err := record.Open(ctx, o)
	if err != nil {
		return nil, err // not s: a nil *Session in the interface would not be nil
	}
	return s, nil
}

// flushAfter is how old an open chunk may be when the recorder has drained the
// kernel, which it does every half second: so a chunk is closed, and out of a
// kill's reach, within a second of its first event.
const flushAfter = 400 * time.Millisecond

// recordSink is a [record.Sink] that writes a session, prints it, or both. The
// printing is the replay engine itself, so live text and replayed text agree.
type recordSink struct {
	e     *env
	store *disk.Store    // nil: no session is written
	w     *format.Writer // writes to store
	eager bool           // someone reads the session as it comes
	open  bool           // events wait in the open chunk
	since time.Time      // when the first of them came
	limit int64          // bytes after which to end, 0 for none
	full  func()         // ends the recording

	engine *replay.Engine // nil: nothing is printed
	text   export.Sink
	screen *output

	info  format.Session
	last  format.Event // Seq and Time of the newest event
	begun bool         // the engine has a SESSION event
	count uint64       // events so far
	ended bool         // an END event came
}

// newRecordSink returns the sink that o asks for, writing the session to
// store.
func newRecordSink(e *env, o *recordOptions, store *disk.Store, info format.Session) (*recordSink, error) {
	s := &recordSink{e: e, store: store, eager: o.out == stdio, limit: int64(o.maxSize), full: func() {}, info: info}
	s.last.Time = info.Mono
	if store != nil {
		w, err := format.NewWriter(store, info, o.writer(store))
		if err != nil {
			return nil, err
		}
		s.w = w
	}
	if !o.prints() {
		return s, nil
	}
	engine, err := o.textFlags.engine()
	if err != nil {
		return nil, err
	}
	text, err := o.textFlags.text(e)
	if err != nil {
		return nil, err
	}
	s.screen = e.stdoutOutput()
	s.text = export.NewText(s.screen, text)
	s.engine = replay.New(engine, s.text.Item)
	return s, nil
}

// Event implements [record.Sink].
func (s *recordSink) Event(ev *format.Event) error {
	s.count++
	s.last.Seq, s.last.Time = ev.Seq, ev.Time
	if ev.Type == format.TypeEnd {
		s.ended = true
		ev = s.withShed(ev)
	}
	// File before screen: what was shown can always be replayed.
	if s.w != nil {
		if err := s.write(ev); err != nil {
			return err
		}
	}
	if s.engine == nil {
		return nil
	}
	if !s.begun && ev.Type != format.TypeSession {
		// The writer makes a SESSION event where there is none; so must we.
		first := format.Event{Type: format.TypeSession, Time: s.info.Mono, Payload: s.info.AppendTo(nil)}
		if err := s.printed(s.engine.Push(&first)); err != nil || s.engine == nil {
			return err
		}
	}
	s.begun = true
	return s.printed(s.engine.Push(ev))
}

// printed returns what went wrong with printing. When the reader of the text goes
// away, the session is still wanted: then nothing more is printed, and that is said.
func (s *recordSink) printed(err error) error {
	if s.store == nil || !brokenPipe(err) {
		return err
	}
	s.hush()
	s.e.say("spliff: record: the reader of the text went away: the recording goes on without printing")
	return nil
}

// hush ends the printing.
func (s *recordSink) hush() {
	if s.engine != nil {
		_, _ = s.engine.Close() // it owns goroutines
		s.engine, s.text, s.screen = nil, nil, nil
	}
}

// Busy implements [record.Patient]: the writer is behind, and what waits in the
// kernel is not lost yet.
func (s *recordSink) Busy() bool { return s.w != nil && s.w.Busy() }

// stats adds what the writer shed to what the recorder counted.
func (s *recordSink) stats(st record.Stats) record.Stats {
	if s.w == nil {
		return st
	}
	events, bytes := s.w.Shed()
	if events == 0 {
		return st
	}
	st.Events -= s.w.ShedData()
	st.Bytes -= bytes
	st.LostEvents += events
	st.LostBytes += bytes
	causes := maps.Clone(st.Causes) // the recorder's own
	if causes == nil {
		causes = map[format.DropCause]uint64{}
	}
	causes[format.DropWriter] += events
	st.Causes = causes
	return st
}

// withShed returns an END event of the recorder with the writer's losses in it.
func (s *recordSink) withShed(ev *format.Event) *format.Event {
	end, err := format.ParseEnd(ev.Payload)
	if s.w == nil || err != nil {
		return ev
	}
	events, bytes := s.w.Shed()
	if events == 0 {
		return ev
	}
	end.Bytes -= bytes
	end.LostEvents += events
	end.LostBytes += bytes
	end.Causes = append(end.Causes, format.CauseCount{Cause: format.DropWriter, Count: format.Count{Events: events, Bytes: bytes}})
	with := *ev
	with.Payload = end.AppendTo(nil)
	return &with
}

// write adds an event to the session.
func (s *recordSink) write(ev *format.Event) error {
	if !s.open {
		s.open, s.since = true, s.e.now()
	}
	if err := s.w.Append(ev); err != nil {
		return err
	}
	s.measure()
	return nil
}

// measure ends the recording when enough has been written.
func (s *recordSink) measure() {
	if s.limit > 0 && s.store.Stored() >= s.limit {
		s.full()
	}
}

// Flush implements [record.Sink]: what came is shown at once, and is in the file
// when its chunk is old enough.
func (s *recordSink) Flush() error {
	if s.engine != nil {
		if err := s.printed(errors.Join(s.engine.Flush(), s.screen.Flush())); err != nil {
			return err
		}
	}
	s.measure()
	if s.open && (s.eager || s.e.now().Sub(s.since) >= flushAfter) {
		s.open = false
		return s.w.Flush()
	}
	return nil
}

// close ends the session: with its END event, unless the recorder wrote it.
func (s *recordSink) close(reason string, st record.Stats) error {
	var errs []error
	if !s.ended {
		end := format.End{
			Reason: reason, Events: s.count, Bytes: st.Bytes,
			LostEvents: st.LostEvents, LostBytes: st.LostBytes,
		}
		errs = append(errs, s.Event(&format.Event{
			Type: format.TypeEnd, Seq: s.last.Seq + 1, Time: s.last.Time, Payload: end.AppendTo(nil),
		}))
	}
	// Every part is closed whatever happened to another: the file must be whole
	// even when the screen's pipe is gone.
	if s.w != nil {
		err := s.w.Close()
		errs = append(errs, err)
		// The store has failed for good where the writer has: once is enough.
		if serr := s.store.Close(); !errors.Is(err, serr) {
			errs = append(errs, serr)
		}
	}
	if s.engine != nil {
		_, err := s.engine.Close()
		errs = append(errs, s.printed(errors.Join(err, s.text.Close(), s.screen.Flush())))
	}
	return errors.Join(errs...)
}
