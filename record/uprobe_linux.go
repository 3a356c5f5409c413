//go:build amd64 || arm64

package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// single makes a link for each place, as it has to be before Linux 6.6. The kernel
// takes them as perf events; tracefs is used where that is all there is.
func (g group) single(path string, prog *ebpf.Program, pid uint32) (io.Closer, error) {
	ex, err := link.OpenExecutable(path)
	if err != nil {
		return nil, err
	}
	attach := ex.Uprobe
	if g.kind == linkReturn {
		attach = ex.Uretprobe
	}
	var all closers
	for i, at := range g.at {
		l, err := attach("", prog, &link.UprobeOptions{Address: at, Cookie: g.cookies[i], PID: int(pid)})
		if err != nil {
			all.Close()
			return nil, fmt.Errorf("at %#x: %w", at, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// closers are links that go together.
type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, l := range c {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// attachUprobeSession is BPF_TRACE_UPROBE_SESSION (include/uapi/linux/bpf.h, since
// 6.13): one link for entry and return, where a program's verdict at the entry
// keeps the return address of a process it does not want untouched.
const attachUprobeSession = ebpf.AttachType(57)

// uprobeSession makes such a link, which the library does not offer yet. Closing
// the file detaches it.
func uprobeSession(path string, prog *ebpf.Program, at, cookies []uint64, pid uint32) (*os.File, error) {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return nil, err
	}
	// union bpf_attr, link_create with uprobe_multi.
	attr := struct {
		prog, target, attachType, flags  uint32
		path, offsets, refCtrs, cookies  uint64
		count, multiFlags, pid, reserved uint32
	}{
		prog: uint32(prog.FD()), attachType: uint32(attachUprobeSession),
		path: uint64(uintptr(unsafe.Pointer(p))), offsets: uint64(uintptr(unsafe.Pointer(&at[0]))),
		cookies: uint64(uintptr(unsafe.Pointer(&cookies[0]))), count: uint32(len(at)), pid: pid,
	}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_LINK_CREATE, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(p)
	runtime.KeepAlive(at)
	runtime.KeepAlive(cookies)
	runtime.KeepAlive(prog)
	if errno != 0 {
		return nil, fmt.Errorf("create uprobe session link: %w", errno)
	}
	return os.NewFile(fd, "uprobe session"), nil
}
