package record

import (
	"errors"
	"fmt"

	"github.com/NoFear0411/spliff/record/locate"
)

// boringKind names BoringSSL as a [Kind]. It has no shared library of its own: it
// is part of browsers and runtimes, which export none of it.
const boringKind = "boringssl"

// boringRoles are the functions of BoringSSL that are watched.
var boringRoles = map[string]struct {
	what what
	how  how
}{
	"SSL_read":         {whatRead, howReturn},
	"SSL_write":        {whatWrite, howReturn},
	"SSL_do_handshake": {whatHandshake, 0},
	"SSL_new":          {whatNew, howSession},
	"SSL_shutdown":     {whatShutdown, 0},
}

// boringSites resolves every probe site of a program with BoringSSL in it. Errors
// are those of [locate.BoringSSL].
func boringSites(m *image) ([]site, error) {
	funcs, err := locate.BoringSSL(m.elf, m.f)
	if errors.Is(err, locate.ErrUncertain) {
		err = fmt.Errorf("seen, not supported here: %w; --offsets can give its functions", err)
	}
	if err != nil {
		return nil, err
	}
	var sites []site
	for _, f := range funcs {
		role, ok := boringRoles[f.Name]
		memory := f.Name == "BIO_write"
		if !ok && !memory {
			continue
		}
		va, cost := m.start(f.Entry)
		s := site{name: fmt.Sprintf("%s@%#x", f.Name, f.Entry), cost: cost, what: role.what, how: role.how, memory: memory,
			why: "the one function that reports its errors"}
		if s.off, ok = m.fileOffset(va); !ok {
			return nil, fmt.Errorf("resolve %s: %w", s.name, locate.ErrUncertain)
		}
		if !memory {
			s.ret = role.what.returns()
			s.entry = role.what.enters(role.how)
		}
		sites = append(sites, s)
	}
	return sites, nil
}
