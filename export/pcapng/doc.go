// Package pcapng writes recorded plaintext as a pcapng file that Wireshark
// opens without any setting: one interface named "spliff plaintext" with
// synthesised TCP connections.
//
//	SHB  IDB  EPB EPB EPB …  ISB
//	           │
//	           └─ IP header, TCP header, plaintext   (LINKTYPE_RAW)
//
// Addresses and the client's port are the real ones; the server's port is
// always 80, because Wireshark takes bytes on 443 for TLS. Missing bytes are
// holes in the sequence numbers, so Wireshark itself says that a segment was
// not captured. What is not as it was on the wire is said in packet comments.
//
// The package does not pretend to know packets: segment boundaries, sequence
// numbers, acknowledgements and windows are made up. It writes no TLS secrets
// and no custom blocks, which Wireshark would show as empty rows.
package pcapng
