package format

import (
	"bytes"
	"fmt"
)

// strangers are files people may take for a session, by their first bytes.
func strangers() []struct{ magic, name string } {
	return []struct{ magic, name string }{
		{"\x1f\x8b", "gzip"},
		{"BZh", "bzip2"},
		{"\xfd7zXZ\x00", "xz"},
		{"\x04\x22\x4d\x18", "lz4"},
		{"PK\x03\x04", "zip"},
		{"\x0a\x0d\x0d\x0a", "pcapng"},
		{"\xd4\xc3\xb2\xa1", "pcap"},
		{"\xa1\xb2\xc3\xd4", "pcap"},
		{"\x4d\x3c\xb2\xa1", "pcap"},
		{"\x7fELF", "an ELF program"},
		{"%PDF", "PDF"},
		{"age-encryption.org/", "encrypted with age; open it with an identity, or decrypt it first: age -d"},
		{"-----BEGIN AGE", "encrypted with age, as text; decrypt it first: age -d"},
		{"{", "JSON, or some other text"},
	}
}

// notSession returns ErrNotSession with what b, the start of the input, looks
// like instead.
func notSession(b []byte) error {
	if len(b) == 0 {
		return fmt.Errorf("%w (it is empty)", ErrNotSession)
	}
	if looksRaw(b) {
		return fmt.Errorf("%w (it looks like an uncompressed event log; compress it first: zstd)", ErrNotSession)
	}
	for _, s := range strangers() {
		if bytes.HasPrefix(b, []byte(s.magic)) {
			return fmt.Errorf("%w (starts with % x: %s)", ErrNotSession, b[:min(len(s.magic), 4)], s.name)
		}
	}
	if b[0]&0xf0 == magicSkippable&0xf0 || le.Uint32(pad4(b)) == magicZstd {
		return fmt.Errorf("%w (zstd data, cut short or without a session header)", ErrNotSession)
	}
	return fmt.Errorf("%w (starts with % x)", ErrNotSession, b[:min(len(b), 4)])
}

// looksRaw reports whether b is a SESSION event, as `zstd -dc` of a session
// begins.
func looksRaw(b []byte) bool {
	var ev Event
	if _, _, err := firstEvent(b, &ev); err != nil || ev.Type != TypeSession {
		return false
	}
	_, err := ParseSession(ev.Payload)
	return err == nil
}

// pad4 returns the first four bytes of b, zeros for missing ones.
func pad4(b []byte) []byte {
	var out [4]byte
	copy(out[:], b)
	return out[:]
}
