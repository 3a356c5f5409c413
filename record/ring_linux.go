package record

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/NoFear0411/spliff/bpf"
)

// ring reads what the programs of bpf/ring.h write: it hands out samples where they
// lie, with no copy and no system call a sample, which is what keeps a burst of 16 KiB
// samples from overrunning it.
//
// It is used by one goroutine.
type ring struct {
	used, next *uint64 // struct shared
	data       []byte  // a sample may end in the slack behind the ring
	mask       uint64
	secret     uint64
	at         uint64 // position of the next sample to read
	bell       bell
	maps       [][]byte // for Close
	epoll      int

	mu   sync.Mutex
	stop int // eventfd, -1 once closed
}

// bell is a BPF ring buffer (kernel/bpf/ringbuf.c) that wakes us. What is in it says
// nothing.
type bell struct{ consumer, producer *uint64 }

// quiet makes room for the next time it is rung.
func (b bell) quiet() { atomic.StoreUint64(b.consumer, atomic.LoadUint64(b.producer)) }

const (
	ringHead  = int(unsafe.Sizeof(bpf.SpliffShared{}))
	ringSlack = int(bpf.SpliffRingSizesRING_SLACK)
	slotSize  = uint64(unsafe.Sizeof(bpf.SpliffSlot{}))
)

// publishEvery is how much is read in a drain before its room is given back, so that the
// kernel side gets some while we are still reading.
const publishEvery = 256 << 10

// ringValue is the size of the one value of the map of a ring of size bytes.
func ringValue(size int) uint32 { return uint32(ringHead + size + ringSlack) }

// newRing maps a ring of size bytes and its bell, by their maps.
func newRing(ringFD, bellFD, size int, secret uint64) (_ *ring, err error) {
	r := &ring{mask: uint64(size - 1), secret: secret, epoll: -1, stop: -1}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	all, err := r.mmap(ringFD, 0, int(ringValue(size)), unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return nil, fmt.Errorf("map ring: %w", err)
	}
	head := (*bpf.SpliffShared)(unsafe.Pointer(&all[0]))
	r.used, r.next, r.data = &head.Used, &head.Next, all[ringHead:]
	page := os.Getpagesize()
	c, err := r.mmap(bellFD, 0, page, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return nil, fmt.Errorf("map bell: %w", err)
	}
	p, err := r.mmap(bellFD, int64(page), page, unix.PROT_READ)
	if err != nil {
		return nil, fmt.Errorf("map bell: %w", err)
	}
	r.bell = bell{(*uint64)(unsafe.Pointer(&c[0])), (*uint64)(unsafe.Pointer(&p[0]))}
	if err = r.watch(bellFD); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *ring) mmap(fd int, offset int64, length, prot int) ([]byte, error) {
	b, err := unix.Mmap(fd, offset, length, prot, unix.MAP_SHARED)
	if err == nil {
		r.maps = append(r.maps, b)
	}
	return b, err
}

// watch prepares wait: it ends when the kernel wakes us or someone calls interrupt.
func (r *ring) watch(fd int) (err error) {
	if r.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	if r.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("create eventfd: %w", err)
	}
	if err = unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("watch bell: %w", err)
	}
	if err = unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, r.stop, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(r.stop)}); err != nil {
		return fmt.Errorf("watch eventfd: %w", err)
	}
	return nil
}

// wait returns when the kernel asks for a drain, after ms milliseconds, or after
// interrupt.
func (r *ring) wait(ms int) {
	var ev [2]unix.EpollEvent
	unix.EpollWait(r.epoll, ev[:], ms) // EINTR and time-out are both reasons to look
	r.bell.quiet()
}

// interrupt ends every wait from now on. It may be called from any goroutine, also
// after Close: the descriptor's number may then belong to another file.
func (r *ring) interrupt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stop >= 0 {
		unix.Write(r.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// size is that of the ring, in bytes.
func (r *ring) size() uint64 { return r.mask + 1 }

// pending returns how many bytes wait.
func (r *ring) pending() uint64 { return atomic.LoadUint64(r.used) }

// drain calls f with every sample that is ready. A sample is valid only during the
// call. It stops at the first error of f; that sample counts as read. Between two
// samples, now and then, it calls rest, which may take its time.
func (r *ring) drain(f func(sample []byte) error, rest func()) error {
	end := atomic.LoadUint64(r.next)
	released := r.at
	release := func() {
		atomic.AddUint64(r.used, released-r.at)
		released = r.at
	}
	defer release()
	for r.at < end {
		off := r.at & r.mask
		slot := (*bpf.SpliffSlot)(unsafe.Pointer(&r.data[off]))
		if atomic.LoadUint64(&slot.Ready) != r.secret+r.at {
			break // a program has its place and has not filled it yet
		}
		n := uint64(slot.Size)
		r.at += (slotSize + n + 7) &^ 7
		if slot.Filled != 0 {
			from := off + slotSize
			if err := f(r.data[from : from+n]); err != nil {
				return err
			}
		}
		if r.at-released >= publishEvery {
			release()
			rest()
		}
	}
	return nil
}

// Close unmaps the ring. interrupt may still be called.
func (r *ring) Close() {
	for _, m := range r.maps {
		unix.Munmap(m)
	}
	r.maps = nil
	if r.epoll >= 0 {
		unix.Close(r.epoll)
		r.epoll = -1
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stop >= 0 {
		unix.Close(r.stop)
		r.stop = -1
	}
}
