package pcapng

import (
	"net/netip"

	"github.com/NoFear0411/spliff/decode"
	"github.com/NoFear0411/spliff/replay"
)

// plainPort is the port servers get: where Wireshark expects HTTP.
const plainPort = 80

// firstPort is the lowest client port given out: below are the well-known ones.
const firstPort = 1024

// maxTuples bounds the memory of which addresses were used. Beyond it only the
// connections still open are kept apart from new ones.
const maxTuples = 1 << 20

// tuple is a connection as Wireshark tells it from others.
type tuple struct{ client, server netip.AddrPort }

type hosts struct{ client, server netip.Addr }

// addresses gives each connection a tuple no other one of the file has.
type addresses struct {
	used map[tuple]struct{}
	next map[hosts]uint32 // client ports tried between two hosts
	over uint32           // made-up client addresses given out
}

func (a *addresses) reset() {
	a.used, a.next = map[tuple]struct{}{}, map[hosts]uint32{}
}

// Documentation addresses (RFC 5737) for connections whose own are not known,
// and a benchmarking network (RFC 2544) for what does not fit between two hosts.
func unknownClient() netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, 1}) }
func unknownServer() netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, 1}) }

// endpoints returns the client's and the server's address of c, and whether
// they are its own.
func endpoints(c *replay.Conn, role decode.Role) (client, server netip.AddrPort, real bool) {
	client, server = c.Local, c.Remote
	if role == decode.RoleServer {
		client, server = server, client
	}
	if !client.IsValid() || !server.IsValid() {
		return netip.AddrPortFrom(unknownClient(), 0), netip.AddrPortFrom(unknownServer(), 0), false
	}
	a, b := client.Addr().Unmap().WithZone(""), server.Addr().Unmap().WithZone("")
	if a.Is4() != b.Is4() {
		a, b = netip.AddrFrom16(a.As16()), netip.AddrFrom16(b.As16())
	}
	return netip.AddrPortFrom(a, client.Port()), netip.AddrPortFrom(b, server.Port()), true
}

// take returns the tuple to write a connection under: its own with the server's
// port changed, or, when that was used before, one with another client port.
func (a *addresses) take(client, server netip.AddrPort) tuple {
	t := tuple{client, netip.AddrPortFrom(server.Addr(), plainPort)}
	if client.Port() != 0 && client.Port() != plainPort && a.claim(t) {
		return t
	}
	// Each port between two hosts is tried once in a file: a thousand connections
	// that claim one tuple must not cost a thousand searches from the start.
	h := hosts{client.Addr(), server.Addr()}
	for a.next[h] < 1<<16-firstPort {
		port := uint16(a.next[h] + firstPort)
		a.next[h]++
		t.client = netip.AddrPortFrom(client.Addr(), port)
		if a.claim(t) {
			return t
		}
	}
	for {
		t.client = a.made(server.Addr().Is6())
		if a.claim(t) {
			return t
		}
	}
}

// made returns a client address nobody has, for when all ports between two
// hosts are taken.
func (a *addresses) made(v6 bool) netip.AddrPort {
	n := a.over
	a.over++
	host := netip.AddrFrom4([4]byte{198, 18 + byte(n>>16)&1, byte(n >> 8), byte(n)})
	if v6 {
		host = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 13: byte(n >> 16 & 1), 14: byte(n >> 8), 15: byte(n)}) // RFC 3849
	}
	return netip.AddrPortFrom(host, uint16(firstPort+n>>17))
}

func (a *addresses) claim(t tuple) bool {
	if _, ok := a.used[t]; ok {
		return false
	}
	a.used[t] = struct{}{}
	return true
}
