package locate

import (
	"bytes"
	"slices"
	"testing"
)

// bioBuild is bio.cc as Bun 1.4 has it, in its order: a read that is part of another
// function, BIO_gets, and BIO_write twice.
var bioBuild = []fakeFunc{
	{bio: true, reasons: []uint32{115, 114, 114}, lines: []uint32{93, 97, 97}, consumes: true},
	{bio: true, reasons: []uint32{115, 114}, lines: []uint32{116, 120}, consumes: true},
	{bio: true, reasons: []uint32{115, 114}, lines: []uint32{140, 144}, consumes: true},
	{bio: true, reasons: []uint32{115, 114}, lines: []uint32{140, 144}, consumes: true},
	{bio: true, reasons: []uint32{115}, lines: []uint32{218}, consumes: true},
	{bio: true, reasons: []uint32{115, 114, 69}, lines: []uint32{140, 144, 201}, consumes: true},
}

func TestBIOWrites(t *testing.T) {
	change := func(f func(fs []fakeFunc) []fakeFunc) []fakeFunc { return f(slices.Clone(bioBuild)) }
	for _, tt := range []struct {
		name  string
		funcs []fakeFunc
		want  []uint64 // which of them
	}{
		{"as Bun has it", bioBuild, []uint64{2, 3}},
		{"none", nil, nil},
		{"one is part of another function", change(func(fs []fakeFunc) []fakeFunc { return slices.Delete(fs, 2, 3) }), []uint64{2}},
		{"no reads", bioBuild[1:], nil},
		{"one more that reports the same", append(slices.Clone(bioBuild), fakeFunc{bio: true, reasons: []uint32{115, 114}, lines: []uint32{160, 164}, consumes: true}), nil},
		{"nothing counted", change(func(fs []fakeFunc) []fakeFunc { fs[2].consumes = false; return fs }), []uint64{3}},
		{"nothing calls it", change(func(fs []fakeFunc) []fakeFunc { fs[3].hidden = true; return fs }), []uint64{2}},
	} {
		for _, absolute := range []bool{false, true} {
			all := append(slices.Clone(realBuild), tt.funcs...)
			b := fakeBoring(all, absolute, errLibSSL)
			got, err := BoringSSL(parse(t, b), bytes.NewReader(b))
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			var want []BoringFunc
			for _, i := range tt.want {
				want = append(want, BoringFunc{"BIO_write", fakeText + uint64(len(realBuild)+int(i))*256})
			}
			if got = got[5:]; !slices.Equal(got, want) {
				t.Errorf("%s: %+v, want %+v", tt.name, got, want)
			}
		}
	}
}

// TestBIOWritesCalls: a function that calls others by name does more than write.
func TestBIOWritesCalls(t *testing.T) {
	reports := []report{{reason: 115, line: 1}, {reason: 114, line: 5}, {reason: 115, line: 11}, {reason: 114, line: 15}, {reason: 115, line: 21}, {reason: 114, line: 25}}
	f := reporter{start: 7, reasons: []uint32{114, 115}, lines: []uint32{21, 25}, consumes: true, calls: 1}
	if got := bioWrites(reports, []*reporter{&f}); !slices.Equal(got, []uint64{7}) {
		t.Errorf("%v", got)
	}
	f.calls = 2
	if got := bioWrites(reports, []*reporter{&f}); got != nil {
		t.Errorf("%v", got)
	}
}
