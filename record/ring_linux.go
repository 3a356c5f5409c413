package record

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is our own reader of a BPF ring buffer (kernel/bpf/ringbuf.c). It hands
// out samples where they lie, with no copy and no system call a sample, which is
// what keeps a burst of 16 KiB samples from overrunning it.
//
// It is used by one goroutine.
type ring struct {
	consumer, producer *uint64
	pages              [2][]byte // as mapped, for Close
	data               []byte    // mapped twice in a row, so a sample never wraps
	mask               uint64
	epoll              int

	mu   sync.Mutex
	stop int // eventfd, -1 once closed
}

const (
	ringBusy    = 1 << 31
	ringDiscard = 1 << 30
	ringHeader  = 8
	// publishEvery is how often the consumer position is handed back in the middle of a
	// drain, so that the kernel side gets room while we are still reading.
	publishEvery = 256 << 10
)

func newRing(fd, size int) (*ring, error) {
	page := os.Getpagesize()
	c, err := unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map ring consumer: %w", err)
	}
	p, err := unix.Mmap(fd, int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		unix.Munmap(c)
		return nil, fmt.Errorf("map ring data: %w", err)
	}
	r := &ring{
		consumer: (*uint64)(unsafe.Pointer(&c[0])),
		producer: (*uint64)(unsafe.Pointer(&p[0])),
		pages:    [2][]byte{c, p},
		data:     p[page:],
		mask:     uint64(size - 1),
		epoll:    -1, stop: -1,
	}
	if err := r.watch(fd); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// watch prepares wait: it ends when the kernel wakes us or someone calls interrupt.
func (r *ring) watch(fd int) (err error) {
	if r.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	if r.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("create eventfd: %w", err)
	}
	// Edge triggered: a half-full ring must not end every wait at once.
	if err = unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("watch ring: %w", err)
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

// pending returns how many bytes wait.
func (r *ring) pending() uint64 {
	return atomic.LoadUint64(r.producer) - atomic.LoadUint64(r.consumer)
}

// drain calls f with every sample that is ready. A sample is valid only during the
// call. It stops at the first error of f; that sample counts as read. Between two
// samples, now and then, it calls rest, which may take its time.
func (r *ring) drain(f func(sample []byte) error, rest func()) error {
	at := atomic.LoadUint64(r.consumer)
	end := atomic.LoadUint64(r.producer)
	published := at
	var err error
	for at < end && err == nil {
		head := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[at&r.mask])))
		if head&ringBusy != 0 {
			break // reserved by a program that has not submitted yet
		}
		n := uint64(head &^ (ringBusy | ringDiscard))
		if head&ringDiscard == 0 {
			from := at&r.mask + ringHeader
			err = f(r.data[from : from+n])
		}
		at += (n + ringHeader + 7) &^ 7
		if at-published >= publishEvery {
			atomic.StoreUint64(r.consumer, at)
			published = at
			rest()
		}
	}
	atomic.StoreUint64(r.consumer, at)
	return err
}

func (r *ring) Close() {
	for _, p := range r.pages {
		unix.Munmap(p)
	}
	if r.epoll >= 0 {
		unix.Close(r.epoll)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stop >= 0 {
		unix.Close(r.stop)
		r.stop = -1
	}
}
