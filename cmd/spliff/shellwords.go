package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// shellWords are names of files as they are typed: a shell makes of them these names,
// in this order. More than two, as the files of a rotated session, are one pattern
// where it finds nothing else.
func shellWords(names []string) string {
	// The shells of Windows leave patterns to the program, which takes names.
	if len(names) > 2 && runtime.GOOS != "windows" {
		if p := pattern(names); p != "" {
			return p
		}
	}
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = shellWord(name)
	}
	return strings.Join(words, " ")
}

// shellWord returns a file name as it is typed: quoted where a shell would take it
// apart, and not like a flag.
func shellWord(name string) string {
	if strings.HasPrefix(name, "-") {
		name = "./" + name
	}
	return quoted(name)
}

func quoted(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%=", r) || r >= 0x80
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// pattern returns what a shell expands to these names and no other, in this order, ""
// if there is nothing so simple. A shell sorts what it finds as text, by the rules of
// the user's language; numbers of one width are in order in all of them, and a-10
// comes before a-9.
func pattern(names []string) string {
	head, tail, ok := numbered(names)
	if !ok {
		return ""
	}
	folder, base := filepath.Split(head)
	there, err := os.ReadDir(filepath.Clean(folder))
	if err != nil {
		return ""
	}
	// The digits that all numbers begin with may tell them from what else is there:
	// a-*.spl is also a-b-000000.spl.
	number := names[0][len(head) : len(names[0])-len(tail)]
	for n := range number {
		begin := base + number[:n]
		var found []string
		for _, f := range there { // in the order of their bytes
			rest, ok := strings.CutPrefix(f.Name(), begin)
			if ok && strings.HasSuffix(rest, tail) {
				found = append(found, folder+f.Name())
			}
		}
		if slices.Equal(found, names) {
			return starred(folder+begin, tail)
		}
	}
	return ""
}

// starred is a pattern of which only the asterisk is one to the shell.
func starred(head, tail string) string {
	if head != "" {
		head = shellWord(head)
	}
	if tail != "" {
		tail = quoted(tail)
	}
	return head + "*" + tail
}

// numbered returns what stands before and after the numbers of names, which differ in
// nothing else, are of one width, and rise.
func numbered(names []string) (head, tail string, ok bool) {
	const digits = "0123456789"
	first, last := names[0], names[len(names)-1]
	same := 0
	for same < min(len(first), len(last)) && first[same] == last[same] {
		same++
	}
	head = strings.TrimRight(first[:same], digits)
	tail = strings.TrimLeft(first[len(head):], digits)
	before := ""
	for _, name := range names {
		number, ok1 := strings.CutPrefix(name, head)
		number, ok2 := strings.CutSuffix(number, tail)
		if !ok1 || !ok2 || strings.Trim(number, digits) != "" || len(name) != len(first) || number <= before {
			return "", "", false
		}
		before = number
	}
	// A number of folders is none of files.
	return head, tail, !strings.ContainsAny(tail, string([]rune{'/', filepath.Separator}))
}
