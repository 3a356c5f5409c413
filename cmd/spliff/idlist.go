package main

import (
	"fmt"
	"strconv"
	"strings"
)

// idList is a flag that holds numbers of things, 0 excluded: "3", "3,8-12".
type idList []uint32

// maxIDs is how many numbers a command line may name.
const maxIDs = 1 << 16

// Set adds the numbers of one argument.
func (l *idList) Set(s string) error {
	for _, word := range strings.Split(s, ",") {
		first, last, ranged := strings.Cut(strings.TrimSpace(word), "-")
		if !ranged {
			last = first
		}
		lo, err := strconv.ParseUint(first, 10, 32)
		hi, err2 := strconv.ParseUint(last, 10, 32)
		if err != nil || err2 != nil || lo == 0 || hi < lo {
			return fmt.Errorf("not a number or range: %q (examples: 3, 3,8-12)", word)
		}
		if hi-lo >= maxIDs || len(*l)+int(hi-lo) >= maxIDs {
			return fmt.Errorf("more than %d numbers", maxIDs)
		}
		for id := lo; id <= hi; id++ {
			*l = append(*l, uint32(id))
		}
	}
	return nil
}

// String joins the numbers with commas.
func (l *idList) String() string {
	words := make([]string, len(*l))
	for i, n := range *l {
		words[i] = strconv.FormatUint(uint64(n), 10)
	}
	return strings.Join(words, ",")
}

// Type names the value in help texts.
func (l *idList) Type() string { return "N" }
