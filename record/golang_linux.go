//go:build amd64 || arm64

package record

import (
	"fmt"

	"github.com/NoFear0411/spliff/bpf"
)

// watchGoroutines makes socket calls look for the goroutine that makes them, which
// costs a look-up each and is off until there is a Go program.
func (k *kernel) watchGoroutines() error {
	if err := k.coll.Variables["go_probed"].Set(uint32(1)); err != nil {
		return fmt.Errorf("set BPF variable go_probed: %w", err)
	}
	return nil
}

// reapGoroutines forgets the calls that processes were in when they ended.
func (k *kernel) reapGoroutines(lives func(pid uint32, start uint64) bool) {
	m := k.coll.Maps["goroutines"]
	var gone []bpf.SpliffGoKey
	var key bpf.SpliffGoKey
	var calls []byte
	for it := m.Iterate(); it.Next(&key, &calls); {
		if !lives(key.Tgid, key.Start) {
			gone = append(gone, key)
		}
	}
	for _, key := range gone {
		m.Delete(key)
	}
}
