package format

import (
	"bytes"
	"cmp"
	"slices"
)

// Together returns the order in which files belong into one: sessions by their
// start, the files of one session by their number. What is equal keeps its place.
// The result holds indexes into files.
func Together(files []*File) []int {
	order := make([]int, len(files))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, k int) int {
		a, b := files[i].first(), files[k].first()
		return cmp.Or(
			cmp.Compare(a.Header.Wall, b.Header.Wall),
			bytes.Compare(a.Header.UUID[:], b.Header.UUID[:]),
			cmp.Compare(a.FileNo, b.FileNo),
			cmp.Compare(a.FirstSeq, b.FirstSeq),
		)
	})
	return order
}

// first returns the first section, as far as it is known.
func (f *File) first() Section {
	if len(f.sections) == 0 {
		return Section{Header: f.header}
	}
	s := f.sections[0]
	s.Header = f.header
	return s
}

// Same reports whether two files hold the same chunks: copies of each other, or
// the same file twice. Files without chunk headers are never the same.
func (f *File) Same(g *File) bool {
	if f.whole || g.whole || len(f.sections) != len(g.sections) {
		return false
	}
	chunks := 0
	for i := range f.sections {
		a, b := &f.sections[i], &g.sections[i]
		if a.tag != b.tag || !slices.EqualFunc(a.Chunks, b.Chunks, func(a, b Chunk) bool { return a.frameCRC == b.frameCRC && a.No == b.No }) {
			return false
		}
		chunks += len(a.Chunks)
	}
	return chunks > 0
}
