package main

import (
	"context"
	"errors"
	"time"

	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/record"
	"github.com/NoFear0411/spliff/replay"
)

// recorder is what the command needs of a [record.Session]: a seam, so that
// everything but the attaching is tested without root.
type recorder interface {
	Run(context.Context, record.Sink) error
	Info() format.Session
	Targets() []record.Target
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

// flushEvery is how long an event may wait in an open chunk. What a kill can
// lose is one such interval.
const flushEvery = time.Second

// recordSink is a [record.Sink] that writes a session, prints it, or both. The
// printing is the replay engine itself, so live text and replayed text agree.
type recordSink struct {
	e       *env
	w       *format.Writer // nil: no session is written
	eager   bool           // someone reads the session as it comes
	flushed time.Time

	engine *replay.Engine // nil: nothing is printed
	text   export.Sink
	screen *output

	info  format.Session
	last  format.Event // Seq and Time of the newest event
	begun bool         // the engine has a SESSION event
	count uint64       // events so far
	ended bool         // an END event came
}

// newRecordSink returns the sink that o asks for, writing the session to out.
func newRecordSink(e *env, o *recordOptions, out *output, info format.Session) (*recordSink, error) {
	s := &recordSink{e: e, eager: o.out == stdio, flushed: e.now(), info: info}
	s.last.Time = info.Mono
	if o.out != "" {
		// One compressor beside the goroutine that drains the kernel: the two
		// together must not take the recorded programs' CPUs.
		w, err := format.NewWriter(out.direct(e), info, format.WriterOptions{Workers: 1})
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
	s.text = o.printer(s.screen, text)
	s.engine = replay.New(engine, s.text.Item)
	return s, nil
}

// Event implements [record.Sink].
func (s *recordSink) Event(ev *format.Event) error {
	s.count++
	s.last.Seq, s.last.Time = ev.Seq, ev.Time
	s.ended = ev.Type == format.TypeEnd
	// File before screen: what was shown can always be replayed.
	if s.w != nil {
		if err := s.w.Append(ev); err != nil {
			return err
		}
	}
	if s.engine == nil {
		return nil
	}
	if !s.begun && ev.Type != format.TypeSession {
		// The writer makes a SESSION event where there is none; so must we.
		first := format.Event{Type: format.TypeSession, Time: s.info.Mono, Payload: s.info.AppendTo(nil)}
		if err := s.engine.Push(&first); err != nil {
			return err
		}
	}
	s.begun = true
	return s.engine.Push(ev)
}

// Flush implements [record.Sink]: what came is shown at once, and is in the
// file at most flushEvery later.
func (s *recordSink) Flush() error {
	if s.engine != nil {
		if err := errors.Join(s.engine.Flush(), s.screen.Flush()); err != nil {
			return err
		}
	}
	if now := s.e.now(); s.w != nil && (s.eager || now.Sub(s.flushed) >= flushEvery) {
		s.flushed = now
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
		errs = append(errs, s.w.Close())
	}
	if s.engine != nil {
		_, err := s.engine.Close()
		errs = append(errs, err, s.text.Close(), s.screen.Flush())
	}
	return errors.Join(errs...)
}
