package main

import (
	"encoding/binary"
	"fmt"

	"github.com/NoFear0411/spliff/format"
)

// prefixLen is the room kept before each payload for what MCAP has no field for;
// see mcap.go.
const prefixLen = 16

// item is an event without its payload. It holds no pointer, so that the corpus
// costs the collector nothing, whichever row makes it run.
type item struct {
	seq, time, offset uint64
	at                int // of the payload in corpus.bytes
	size              uint32
	conn, tid, dur    uint32
	cpu               uint16
	typ               format.Type
	dir               format.Dir
	probe             uint8
}

// corpus is the traffic of one table, held in memory.
type corpus struct {
	items   []item
	bytes   []byte
	payload int64 // bytes of DATA payload
	data    int   // DATA events
	conns   int   // connections seen
}

// newCorpus takes payload bytes of DATA and what goes with them.
func newCorpus(payload int64) *corpus {
	c := &corpus{bytes: make([]byte, 0, payload+payload/16+1<<20)}
	t := newTraffic()
	var ev format.Event
	for c.payload < payload {
		t.next(&ev)
		c.add(&ev)
	}
	return c
}

func (c *corpus) add(ev *format.Event) {
	c.bytes = appendPrefix(c.bytes, ev)
	c.items = append(c.items, item{seq: ev.Seq, time: ev.Time, offset: ev.Offset, at: len(c.bytes), size: uint32(len(ev.Payload)),
		conn: ev.Conn, tid: ev.TID, dur: ev.Dur, cpu: ev.CPU, typ: ev.Type, dir: ev.Dir, probe: ev.Probe})
	c.bytes = append(c.bytes, ev.Payload...)
	switch ev.Type {
	case format.TypeData:
		c.data++
		c.payload += int64(len(ev.Payload))
	case format.TypeConn:
		c.conns++
	}
}

// event fills ev with event i. ev.Payload aliases the corpus.
func (c *corpus) event(i int, ev *format.Event) {
	it := &c.items[i]
	end := it.at + int(it.size)
	*ev = format.Event{Type: it.typ, Dir: it.dir, Probe: it.probe, CPU: it.cpu, TID: it.tid, Conn: it.conn,
		Seq: it.seq, Time: it.time, Offset: it.offset, Dur: it.dur, Payload: c.bytes[it.at:end:end]}
}

// prefixed returns the payload of event i with the prefix before it.
func (c *corpus) prefixed(i int) []byte {
	it := &c.items[i]
	return c.bytes[it.at-prefixLen : it.at+int(it.size)]
}

// appendPrefix appends the fields of ev that neither a message of MCAP nor its
// channel has: where in the stream, which thread, which CPU, which probe.
func appendPrefix(dst []byte, ev *format.Event) []byte {
	where := ev.Offset
	if ev.Type != format.TypeData {
		where = uint64(ev.Conn) // such a message has no channel of its connection
	}
	dst = binary.LittleEndian.AppendUint64(dst, where)
	dst = binary.LittleEndian.AppendUint32(dst, ev.TID)
	dst = binary.LittleEndian.AppendUint16(dst, ev.CPU)
	return append(dst, uint8(ev.Type), ev.Probe)
}

func (c *corpus) String() string {
	return fmt.Sprintf("%d events of %d connections, %d MiB of payload, %d bytes each on average",
		len(c.items), c.conns, c.payload>>20, c.payload/int64(c.data))
}
