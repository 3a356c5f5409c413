//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/NoFear0411/spliff/record"
)

// floorWatcher puts probes that do nothing on every site that spliff would use: what
// is left of the rate is what the kernel takes for stopping the program there.
func floorWatcher() *watcher {
	return &watcher{name: floorName, start: func(ctx context.Context, s *server) (watching, error) {
		f := &floor{pid: uint32(s.worker)}
		if err := f.attach(ctx); err != nil {
			return nil, errors.Join(err, f.close())
		}
		return f, nil
	}}
}

// floor holds the empty probes.
type floor struct {
	pid  uint32
	prog *ebpf.Program
	open []io.Closer
}

func (f *floor) attach(ctx context.Context) (err error) {
	inv, err := record.Survey(ctx, []uint32{f.pid}, nil)
	if err != nil {
		return err
	}
	f.prog, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "empty", Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceUprobeMulti, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return fmt.Errorf("load an empty program: %w", err)
	}
	f.open = append(f.open, f.prog)
	for _, found := range inv.Found {
		if err := f.library(found); err != nil {
			return fmt.Errorf("attach empty probes to %s: %w", found.Path, err)
		}
	}
	if len(f.open) == 1 {
		return errors.New("the server has no library with sites")
	}
	return nil
}

func (f *floor) library(found record.Found) error {
	entry, ret := places(found)
	ex, err := link.OpenExecutable(fmt.Sprintf("/proc/%d/root%s", f.pid, found.Path))
	if err != nil {
		return err
	}
	if len(ret) > 0 {
		l, err := ex.UretprobeMulti(nil, f.prog, &link.UprobeMultiOptions{Addresses: ret, PID: f.pid})
		if err != nil {
			return err
		}
		f.open = append(f.open, l)
	}
	if len(entry) > 0 {
		l, err := ex.UprobeMulti(nil, f.prog, &link.UprobeMultiOptions{Addresses: entry, PID: f.pid})
		if err != nil {
			return err
		}
		f.open = append(f.open, l)
	}
	return nil
}

// places returns the offsets of all instructions that are watched, Go's return
// instructions among them, and of the functions whose return is.
func places(found record.Found) (entry, ret []uint64) {
	for _, s := range found.Sites {
		if s.Entry {
			entry = append(entry, s.Offset)
		}
		if s.Return {
			ret = append(ret, s.Offset)
		}
	}
	return entry, ret
}

// stop takes the probes off.
func (f *floor) stop(*load) (seen, error) { return unseen, f.close() }

func (f *floor) close() error {
	var errs []error
	for i := len(f.open) - 1; i >= 0; i-- {
		errs = append(errs, f.open[i].Close())
	}
	return errors.Join(errs...)
}
