package main

import (
	"context"
	"fmt"
	"io"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/replay"
)

// editInput is the sessions that edit reads, in the order in which they are
// written.
type editInput struct {
	files []editFile
	query format.Query
}

// editFile is one of them.
type editFile struct {
	*source
	f     *format.File // nil: it can only be read from its start
	first *format.Reader
}

// openAll opens the sessions and brings them into order.
func (o *editOptions) openAll(e *env, names []string) (*editInput, error) {
	in := &editInput{}
	for _, name := range names {
		src, err := o.source(e, name)
		if err != nil {
			in.close()
			return nil, err
		}
		in.files = append(in.files, editFile{source: src})
		if err := in.files[len(in.files)-1].look(); err != nil {
			in.close()
			return nil, err
		}
	}
	err := in.arrange(o)
	if err == nil {
		in.query, err = o.query(in)
	}
	if err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

// look finds out what a file is.
func (x *editFile) look() (err error) {
	if x.at != nil {
		x.f, err = x.open()
		return err
	}
	x.first, err = format.NewReader(x.r, format.ReaderOptions{})
	if err != nil {
		return x.why(err)
	}
	return nil
}

// arrange refuses what makes no sense and sorts the rest.
func (in *editInput) arrange(o *editOptions) error {
	var known []*format.File
	for i := range in.files {
		x := &in.files[i]
		switch {
		case x.f == nil && len(in.files) > 1:
			return usagef("%s is no file: join sessions that are files, or use cat", x.name)
		case x.f == nil && o.dropBodies:
			return usagef("%s is no file: --drop-bodies reads a session twice", x.name)
		case x.f == nil:
			return nil
		}
		for k, other := range known {
			if other.Same(x.f) {
				return usagef("%s and %s are the same session", in.files[k].name, x.name)
			}
		}
		known = append(known, x.f)
	}
	sorted := make([]editFile, 0, len(known))
	for _, i := range format.Together(known) {
		sorted = append(sorted, in.files[i])
	}
	in.files = sorted
	return nil
}

// query is what is wanted, in the time of the first session. Without a selector it
// is the zero Query.
func (o *editOptions) query(in *editInput) (q format.Query, err error) {
	if o.from == "" && o.to == "" && len(o.conns)+len(o.pids) == 0 {
		return q, nil
	}
	q.Conns, q.PIDs, q.Recording = o.conns, o.pids, true
	header, end := in.first()
	if o.from != "" {
		if q.From, err = sessionTime(o.from, &header, end); err != nil {
			return q, err
		}
	}
	if o.to != "" {
		if q.To, err = sessionTime(o.to, &header, end); err != nil {
			return q, err
		}
	}
	if q.From != 0 && q.To != 0 && q.From >= q.To {
		return q, usagef("--from %s is not before --to %s", o.from, o.to)
	}
	return q, nil
}

// first returns what the first session says of itself, and the last time of all
// that is known without reading.
func (in *editInput) first() (h format.Session, end int64) {
	if r := in.files[0].first; r != nil {
		return r.Header(), 0
	}
	for i := range in.files {
		for _, s := range in.files[i].f.Sections() {
			for k := range s.Chunks {
				end = max(end, s.Wall(s.Chunks[k].MaxTime))
			}
		}
	}
	return in.files[0].f.Header(), end
}

// reader returns a reader of what is wanted of file i, from its start.
func (in *editInput) reader(ctx context.Context, i int) (*format.Reader, error) {
	x := &in.files[i]
	switch {
	case x.f == nil:
		x.first.Filter(in.query)
		return x.first, nil
	case in.query.Recording:
		return x.f.Select(in.query), nil
	}
	// All of it: no index is needed, or believed.
	r, err := format.NewReader(untilReader{ctx, io.NewSectionReader(x.at, 0, x.size)}, format.ReaderOptions{})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", x.name, err)
	}
	return r, nil
}

// heads reads all that is wanted and finds out what is no content.
func (in *editInput) heads(ctx context.Context) (*replay.Heads, error) {
	h := replay.NewHeads()
	for i := range in.files {
		r, err := in.reader(ctx, i)
		if err == nil {
			err = h.PushAll(ctx, r)
		}
		if err != nil {
			h.Close()
			return nil, fmt.Errorf("read %s: %w", in.files[i].name, err)
		}
	}
	return h, nil
}

// patient reports whether the session comes from a pipe.
func (in *editInput) patient() bool { return in.files[0].at == nil }

func (in *editInput) close() {
	for i := range in.files {
		in.files[i].close()
	}
}
