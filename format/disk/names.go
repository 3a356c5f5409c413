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

// refuseMembers returns fs.ErrExist if a session of this name is there. All
// numbers count: the one that is in the way may come only after hours.
func refuseMembers(sys FS, name string) error {
	names, err := sys.Names(filepath.Dir(name))
	if err != nil {
		return err
	}
	for _, n := range names {
		if isMember(name, n) {
			return &fs.PathError{Op: "create", Path: filepath.Join(filepath.Dir(name), n), Err: fs.ErrExist}
		}
	}
	return nil
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
