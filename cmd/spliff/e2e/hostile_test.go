package e2e

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/NoFear0411/spliff/format"
)

// budget is how much memory a process may have at its peak, whatever the file is.
const budget = 512 << 20

// TestHostileFiles gives every reading command files that were made to exhaust it:
// it ends by itself, without a panic, within its budget of memory. How long it took
// for each MiB of the file is printed, not judged: machines differ.
func TestHostileFiles(t *testing.T) {
	dir := t.TempDir()
	for name, b := range hostileFiles() {
		file := filepath.Join(dir, name+".spl")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var worst float64
		var slowest string
		for _, args := range [][]string{
			{"info", file}, {"info", "--verify", file}, {"info", "--json", file},
			{"show", file}, {"show", "--json", file}, {"replay", "-b", file},
			{"export", file, "-f", "events", "-o", os.DevNull, "--force"},
			{"recover", file, "-o", filepath.Join(dir, "out"), "--force"},
			{"edit", file, "-o", filepath.Join(dir, "out"), "--force", "--conn", "7"},
		} {
			if args[0] == "export" {
				args = []string{"export", file, "-f", "events"}
			}
			c := costOf(t, args...)
			if strings.Contains(c.Stderr, "panic") || c.Code < 0 || c.Code == 2 {
				t.Errorf("%s: %v: exit %d\n%.2000s", name, args, c.Code, c.Stderr)
			}
			if c.RSS > budget {
				t.Errorf("%s: %v took %d MiB of memory, budget %d MiB", name, args[:1], c.RSS>>20, budget>>20)
			}
			if rate := c.CPU.Seconds() / (float64(len(b))/(1<<20) + 1); rate > worst {
				worst, slowest = rate, args[0]
			}
		}
		t.Logf("%-22s %8d bytes, at worst %.2f s of CPU for each MiB and one more (%s)", name, len(b), worst, slowest)
	}
}

// hostileFiles are sessions behind good checksums that no writer of ours would make.
func hostileFiles() map[string][]byte {
	h := newHostile()
	tiny := ev(77, 0, nil)
	end := ev(uint8(format.TypeConnEnd), 7, make([]byte, 40))
	zeros := ev(uint8(format.TypeData), 7, make([]byte, 1<<20))
	args := ev(uint8(format.TypeProc), 0, bytes.Repeat([]byte{7, 0, 0, 0, 0, 0, 0, 0}, 6000))
	manyConns := func() []byte {
		var raw []byte
		for id := uint32(1); len(raw) < 60<<20; id++ {
			c := format.Conn{PID: id, SSL: 1}
			raw = append(raw, ev(uint8(format.TypeConn), id*3, c.AppendTo(nil))...)
		}
		return raw
	}()
	return map[string][]byte{
		"bomb of zeros":       h.file(40, bytes.Repeat(zeros, 60)),
		"bomb of tiny events": h.file(40, bytes.Repeat(tiny, 60<<20/len(tiny))),
		"bomb of ends":        h.file(20, bytes.Repeat(end, 60<<20/len(end))),
		"bomb of arguments":   h.file(20, bytes.Repeat(args, 60<<20/len(args))),
		"many connections":    h.file(1, manyConns),
		"many sections":       bytes.Repeat(h.head, 20_000),
		"many chunk headers":  append(bytes.Clone(h.head), bytes.Repeat(h.chunk(0, tiny), 30_000)...),
		"index of nothing":    append(h.file(1, tiny), h.frame("SPLI", 32, make([]byte, 60<<20))...),
		"index that lies":     h.liar(),
		"headers in headers":  append(bytes.Clone(h.head), bytes.Repeat(h.chunk(0, tiny)[:108], 100_000)...),
	}
}

// hostile puts frames together by hand, from FORMAT.md.
type hostile struct {
	head    []byte
	section uint32
	enc     *zstd.Encoder
}

func newHostile() *hostile {
	h := &hostile{}
	h.enc, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(4<<20))
	fixed := make([]byte, 80-16)
	fixed[0], fixed[3] = 1, 1
	h.head = h.frame("SPLF", 80, fixed)
	h.section = binary.LittleEndian.Uint32(h.head[len(h.head)-4:])
	return h
}

// frame makes a frame of ours; body is what follows its first 16 bytes.
func (h *hostile) frame(tag string, fixed int, body []byte) []byte {
	f := binary.LittleEndian.AppendUint32(nil, 0x184D2A53)
	f = binary.LittleEndian.AppendUint32(f, uint32(len(body)+8+4))
	f = append(f, tag...)
	f = binary.LittleEndian.AppendUint16(f, uint16(fixed))
	f = append(append(f, 0, 0), body...)
	return binary.LittleEndian.AppendUint32(f, crc32.Checksum(f, crc32.MakeTable(crc32.Castagnoli)))
}

func (h *hostile) chunk(no uint32, raw []byte) []byte {
	return h.packed(no, len(raw), h.enc.EncodeAll(raw, nil))
}

func (h *hostile) packed(no uint32, raw int, frame []byte) []byte {
	b := make([]byte, 104-16)
	binary.LittleEndian.PutUint32(b, no)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(frame)))
	binary.LittleEndian.PutUint32(b[8:], uint32(raw))
	binary.LittleEndian.PutUint32(b[56:], crc32.Checksum(frame, crc32.MakeTable(crc32.Castagnoli)))
	binary.LittleEndian.PutUint32(b[80:], h.section)
	return append(h.frame("SPLC", 104, b), frame...)
}

// file is a section of n chunks that all hold raw.
func (h *hostile) file(n int, raw []byte) []byte {
	b := bytes.Clone(h.head)
	frame := h.enc.EncodeAll(raw, nil)
	for no := range n {
		b = append(b, h.packed(uint32(no), len(raw), frame)...)
	}
	return b
}

// liar is a file whose footer lists half a million chunks that are not there.
func (h *hostile) liar() []byte {
	b := h.file(1, ev(77, 0, nil))
	const n = 500_000
	body := make([]byte, 16+n*104)
	binary.LittleEndian.PutUint32(body, n)
	binary.LittleEndian.PutUint32(body[4:], 104)
	for i := range n {
		e := body[16+i*104:]
		binary.LittleEndian.PutUint64(e, uint64(len(h.head)))
		binary.LittleEndian.PutUint32(e[8:], uint32(i))
		binary.LittleEndian.PutUint32(e[96:], 108)
	}
	index := h.frame("SPLI", 32, body)
	at := len(b) + len(index)
	tr := make([]byte, 112-16+4)
	binary.LittleEndian.PutUint64(tr, uint64(at))
	binary.LittleEndian.PutUint64(tr[8:], uint64(len(index)))
	binary.LittleEndian.PutUint32(tr[72:], n)
	binary.LittleEndian.PutUint32(tr[80:], h.section)
	binary.LittleEndian.PutUint32(tr[96:], 120)
	return append(append(b, index...), h.frame("SPLT", 112, tr)...)
}

// ev encodes an event.
func ev(typ uint8, conn uint32, payload []byte) []byte {
	head := 32
	if typ == uint8(format.TypeData) {
		head = 48
	}
	b := make([]byte, (head+len(payload)+7)&^7)
	binary.LittleEndian.PutUint32(b, uint32(head+len(payload)))
	b[4], b[5], b[30] = typ, uint8(head/4), 1
	binary.LittleEndian.PutUint32(b[16:], conn)
	copy(b[head:], payload)
	return b
}
