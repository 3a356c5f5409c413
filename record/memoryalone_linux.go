//go:build amd64 || arm64

package record

import (
	"fmt"
	"slices"
	"strings"
)

// isCrypto reports whether a file is the one of OpenSSL's in which bytes are moved.
func isCrypto(file mapped) bool { return strings.HasPrefix(file.base(), "libcrypto") }

// watchAlone puts the probe on memoryWrite of a file, once, and reports whether it is on.
func (m *memory) watchAlone(path, open string) bool {
	id, ok := identity(open)
	if !ok {
		return false
	}
	return m.plain.of(id, func() bool {
		on, err := m.probeAlone(path, open)
		if err != nil {
			m.libs.trouble(fmt.Errorf("addresses of sessions may be missing: %w", err))
		}
		return on
	})
}

func (m *memory) probeAlone(path, open string) (bool, error) {
	img, err := openImage(open)
	if err != nil {
		return false, nil // it is gone, or no library
	}
	defer img.Close()
	st, err := img.f.Stat()
	s, ok := memoryWrite(img)
	if err != nil || !ok {
		return false, nil
	}
	key := keyOf(img, st)
	if slices.ContainsFunc(m.alone, key.same) {
		return true, nil
	}
	pids := m.libs.k.pids
	if len(pids) == 0 {
		pids = []uint32{0}
	}
	for _, pid := range pids {
		l, err := m.libs.k.watchWrites(img, []site{s}, pid)
		if gone(err) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("watch what %s writes into memory: %w", path, err)
		}
		m.libs.k.keep(l)
	}
	m.alone = append(m.alone, key)
	return true, nil
}

// handed reports whether a file hands memory to OpenSSL, which is found out once.
func (m *memory) handed(file mapped) bool {
	if isCrypto(file) || named(file.base()) != nil {
		return false // the library itself
	}
	id, ok := identity(file.open)
	if !ok {
		return false
	}
	return m.hands.of(id, func() bool { return handsMemory(file.open) })
}
