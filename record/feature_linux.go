//go:build amd64 || arm64

package record

import (
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// runningKernel answers from the kernel's own type information, which everybody
// may read.
type runningKernel struct{ spec *btf.Spec }

func loadKernelTypes() (runningKernel, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return runningKernel{}, fmt.Errorf("%w: the kernel has no BTF (CONFIG_DEBUG_INFO_BTF): %v", ErrNotSupported, err)
	}
	return runningKernel{spec}, nil
}

func (k runningKernel) function(name string) bool {
	var f *btf.Func
	return k.spec.TypeByName(name, &f) == nil
}

// tracepoint looks for the type that include/trace/bpf_probe.h makes of each one.
func (k runningKernel) tracepoint(name string) bool {
	var t *btf.Typedef
	return k.spec.TypeByName("btf_trace_"+name, &t) == nil
}

func (k runningKernel) enumerator(name string) bool {
	for _, in := range []string{"bpf_map_type", "bpf_attach_type", "bpf_func_id"} {
		var e *btf.Enum
		if k.spec.TypeByName(in, &e) != nil {
			continue
		}
		for _, v := range e.Values {
			if v.Name == name {
				return true
			}
		}
	}
	return false
}
