package record

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
)

// TestOwnStack: no probe runs on memory that it shares with the other probes of its CPU,
// where another thread could run it before it is done: see bpf/stack.h. Whether one does
// is told by its machine code alone, which adds the CPU's offset to the address of that
// memory first (arch/x86/net/bpf_jit_comp.c, emit_priv_frame_ptr).
func TestOwnStack(t *testing.T) {
	needCapture(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("SKIP: what the machine code of another processor would look like is not known here")
	}
	k, err := loadKernel(Options{}, minRing)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	addCPU := []byte{0x65, 0x4c, 0x03, 0x0c, 0x25} // add %gs:offset,%r9
	n := 0
	for name, p := range k.coll.Programs {
		if p.Type() != ebpf.Kprobe {
			continue
		}
		info, err := p.Info()
		if err != nil {
			t.Fatal(err)
		}
		code, ok := info.JitedInsns()
		if !ok {
			t.Skip("SKIP: the machine code of BPF programs cannot be read here (net.core.bpf_jit_enable, kernel.kptr_restrict)")
		}
		n++
		if bytes.Contains(code, addCPU) {
			t.Errorf("%s shares its stack", name)
		}
	}
	if n == 0 {
		t.Error("there are no probes")
	}
}
