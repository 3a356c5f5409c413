package eventjson

import (
	"math"

	"github.com/NoFear0411/spliff/format"
)

// rows is a list of lists of numbers: a table. cells goes through the numbers of
// one row.
func rows[T any](c *codec, name string, v *[]T, cells func(row *T, cell func(*uint64))) {
	if c.in != nil {
		if c.wants(name) {
			c.in.list(func() { *v = append(*v, readRow(c, name, cells)) })
			if len(*v) > format.MaxList {
				c.in.fail("%s: more than %d items", name, format.MaxList)
			}
		}
		return
	}
	if len(*v) == 0 {
		return
	}
	c.begin(name)
	for i := range *v {
		c.dst = append(c.dst, ",["[b2i(i == 0)], '[')
		n := 0
		cells(&(*v)[i], func(cell *uint64) {
			if n++; n > 1 {
				c.dst = append(c.dst, ',')
			}
			c.dst = appendUint(c.dst, *cell)
		})
		c.dst = append(c.dst, ']')
	}
	c.dst = append(c.dst, ']')
}

// readRow reads one row, which must have all its numbers and no more.
func readRow[T any](c *codec, name string, cells func(row *T, cell func(*uint64))) (row T) {
	var read []uint64
	want := 0
	cells(&row, func(*uint64) { want++ })
	c.in.list(func() {
		if len(read) == want {
			c.in.fail("%s: more than %d numbers in an item", name, want)
			return
		}
		read = append(read, c.unsigned(name, math.MaxUint64, true))
	})
	if c.in.err == nil && len(read) < want {
		c.in.fail("%s: %d of %d numbers in an item", name, len(read), want)
	}
	if c.in.err != nil {
		return row
	}
	cells(&row, func(cell *uint64) { *cell, read = read[0], read[1:] })
	return row
}

// ancestors is a list of texts, as the format has it.
func (c *codec) ancestors(name string, v *[]format.Ancestor) {
	if c.in == nil {
		var list []string
		for _, a := range *v {
			list = append(list, a.String())
		}
		c.list(name, &list)
		return
	}
	if !c.wants(name) {
		return
	}
	c.in.list(func() {
		text := c.in.text()
		a, ok := format.ParseAncestor(string(text))
		if !ok {
			c.in.fail("%s: %q is not \"PID START COMM\"", name, clip(text))
		}
		if len(*v) == format.MaxAncestors {
			c.in.fail("%s: more than %d items", name, format.MaxAncestors)
		}
		*v = append(*v, a)
	})
}
