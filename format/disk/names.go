package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

const (
	// partSuffix ends the name of a file that is not complete.
	partSuffix = ".part"
	// digits is how many a file number has at least, so that names sort as numbers do.
	digits = 6
)

// splitName parts a name before its extension, which is .spl, .age, .spl.age or
// nothing: other dots are taken for a part of the name.
func splitName(name string) (stem, ext string) {
	stem = name
	for _, e := range []string{".age", ".spl"} {
		rest, ok := strings.CutSuffix(stem, e)
		if ok && rest != "" && !strings.HasSuffix(rest, string(filepath.Separator)) {
			stem, ext = rest, e+ext
		}
	}
	return stem, ext
}

// Member returns the name of file no of a rotated session called name:
// a.spl is a-000000.spl, a-000001.spl and so on.
func Member(name string, no int) string {
	stem, ext := splitName(name)
	return fmt.Sprintf("%s-%0*d%s", stem, digits, no, ext)
}

// isMember reports whether base, a name without folder, is that of a file, perhaps
// not complete, of a rotated session called name.
func isMember(name, base string) bool {
	stem, ext := splitName(filepath.Base(name))
	s, ok := strings.CutPrefix(strings.TrimSuffix(base, partSuffix), stem+"-")
	if !ok {
		return false
	}
	s, ok = strings.CutSuffix(s, ext)
	return ok && len(s) >= digits && strings.Trim(s, "0123456789") == ""
}

// olderMembers returns the files of a session of this name that is there, which
// replace allows; else it returns fs.ErrExist. All numbers count: the one that is in
// the way may come only after hours, and those behind the last would be taken for a
// part of the new session.
func olderMembers(sys FS, name string, replace bool) ([]string, error) {
	names, err := sys.Names(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	var older []string
	for _, n := range names {
		if !isMember(name, n) {
			continue
		}
		path := filepath.Join(filepath.Dir(name), n)
		if !replace {
			return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
		}
		if strings.HasSuffix(n, partSuffix) {
			return nil, leftBehind(path)
		}
		if _, err := refuseExisting(sys, path, true); err != nil {
			return nil, err
		}
		older = append(older, path)
	}
	return older, nil
}

// leftBehind refuses to make a file that is not complete where there is one.
func leftBehind(path string) error {
	return fmt.Errorf("create %s: left by a run that was killed, or another one is at work: rename or remove it first", path)
}

// refuseExisting checks that final may be made, or replaced.
func refuseExisting(sys FS, final string, replace bool) (exists bool, err error) {
	switch fi, err := sys.Lstat(final); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !replace:
		return true, &fs.PathError{Op: "create", Path: final, Err: fs.ErrExist}
	case !fi.Mode().IsRegular():
		return true, fmt.Errorf("create %s: it is not a regular file, so it is not replaced", final)
	}
	return true, nil
}
