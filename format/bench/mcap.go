package main

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/NoFear0411/spliff/format"
	"github.com/foxglove/mcap/go/mcap"
)

// How the corpus is put in MCAP, each choice in its favour where there was one:
//
//   - A channel per connection and direction: its own way to tell streams apart,
//     to find one by its index, and to say once what is true of all messages. The
//     description of connection and process is the channel's metadata.
//   - Sequence is the event's seq, LogTime its time, and PublishTime the time at
//     which the call began, which tells its duration.
//   - What has no field (stream offset, thread, CPU, probe) stands in 16 bytes
//     before the payload. The corpus holds them there already, so that they are
//     written without building the message in a buffer first.
//   - Events that are not DATA are messages of one more channel.
//   - Chunks, index, checksums and compression as in a session: 1 MiB, index on,
//     CRC on, zstd at its fastest level.
const eventsChannel = 1

func newMCAP(w io.Writer) (*mcap.Writer, error) {
	m, err := mcap.NewWriter(w, &mcap.WriterOptions{IncludeCRC: true, Chunked: true, ChunkSize: 1 << 20,
		Compression: mcap.CompressionZSTD, CompressionLevel: mcap.CompressionLevelFastest})
	if err != nil {
		return nil, err
	}
	if err := m.WriteHeader(&mcap.Header{Profile: "", Library: "bench"}); err != nil {
		return nil, err
	}
	return m, m.WriteChannel(&mcap.Channel{ID: eventsChannel, Topic: "events", MessageEncoding: "spliff"})
}

// channelID is the channel of one direction of a connection. A file has at most
// 65,535 of them.
func channelID(conn uint32, dir format.Dir) uint16 { return uint16(2*conn + uint32(dir) - 1) }

// writeMCAP writes the whole corpus to w.
func writeMCAP(c *corpus, w io.Writer) error {
	m, err := newMCAP(w)
	if err != nil {
		return err
	}
	var ev format.Event
	var msg mcap.Message
	for i := range c.items {
		c.event(i, &ev)
		if ev.Type == format.TypeConn {
			if err := describe(m, &ev); err != nil {
				return err
			}
			continue
		}
		msg = mcap.Message{ChannelID: eventsChannel, Sequence: uint32(ev.Seq), LogTime: ev.Time, PublishTime: ev.Time - uint64(ev.Dur), Data: c.prefixed(i)}
		if ev.Type == format.TypeData {
			msg.ChannelID = channelID(ev.Conn, ev.Dir)
		}
		if err := m.WriteMessage(&msg); err != nil {
			return err
		}
	}
	return m.Close()
}

// describe writes the two channels of a connection.
func describe(m *mcap.Writer, ev *format.Event) error {
	conn, err := format.ParseConn(ev.Payload)
	if err != nil {
		return err
	}
	for dir := format.DirWrite; dir <= format.DirRead; dir++ {
		ch := mcap.Channel{ID: channelID(ev.Conn, dir), MessageEncoding: "spliff",
			Topic: strconv.Itoa(int(ev.Conn)) + "/" + strconv.Itoa(int(dir)),
			Metadata: map[string]string{
				"pid": strconv.Itoa(int(conn.PID)), "ssl": strconv.FormatUint(conn.SSL, 16), "role": strconv.Itoa(int(conn.Role)),
				"alpn": conn.ALPN, "local": conn.Local.String(), "remote": conn.Remote.String(),
			}}
		if err := m.WriteChannel(&ch); err != nil {
			return err
		}
	}
	return nil
}

// lexMCAP reads a file from front to end with the lexer, the checksums of the
// chunks checked, and no copy of the data. msg is valid until see returns.
func lexMCAP(file []byte, see func(*mcap.Message) error) error {
	l, err := mcap.NewLexer(bytes.NewReader(file), &mcap.LexerOptions{ValidateChunkCRCs: true})
	if err != nil {
		return err
	}
	defer l.Close()
	var buf []byte
	var msg mcap.Message
	for {
		token, b, err := l.Next(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if cap(b) > cap(buf) {
			buf = b
		}
		if token != mcap.TokenMessage {
			continue
		}
		if err := msg.PopulateFrom(b, false); err != nil {
			return err
		}
		if err := see(&msg); err != nil {
			return err
		}
	}
}

// readMCAP reads a file by its reader, in the order of the file, into one message
// that is used again. indexed chooses the reader that loads whole chunks by the
// chunk index; it is the faster one. Neither checks the CRC of a chunk, only the
// checksum in its zstd frame.
func readMCAP(file []byte, indexed bool, see func(*mcap.Message) error) error {
	r, err := mcap.NewReader(bytes.NewReader(file))
	if err != nil {
		return err
	}
	defer r.Close()
	it, err := r.Messages(mcap.UsingIndex(indexed), mcap.InOrder(mcap.FileOrder))
	if err != nil {
		return err
	}
	var msg mcap.Message
	for {
		if _, _, _, err := it.NextInto(&msg); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := see(&msg); err != nil {
			return err
		}
	}
}
