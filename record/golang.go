package record

import (
	"fmt"

	"github.com/NoFear0411/spliff/record/locate"
)

// goKind names Go's crypto/tls as a [Kind].
const goKind = "go"

// goRoles are the functions of crypto/tls that are watched. Those without entry are
// only seen returning, inside of another that is.
var goRoles = map[string]struct {
	what  what
	how   how
	entry bool
}{
	"(*Conn).Read":                {whatRead, howReturn, true},
	"(*Conn).Write":               {whatWrite, howReturn, true},
	"(*Conn).Close":               {whatFree, 0, true},
	"(*Conn).clientHandshake":     {whatHandshake, howConnect, true},
	"(*Conn).serverHandshake":     {whatHandshake, howAccept, true},
	"(*Conn).handleRenegotiation": {whatReneg, 0, true},
	"negotiateALPN":               {whatALPN, 0, false},
}

// goSites resolves every probe site of a Go program. Errors are those of
// [locate.GoTLS].
func goSites(m *image) ([]site, error) {
	funcs, err := locate.GoTLS(m.elf, m.f)
	if err != nil {
		return nil, err
	}
	var sites []site
	for _, f := range funcs {
		role, ok := goRoles[f.Name]
		if !ok {
			continue
		}
		s := site{what: role.what, how: role.how, goroutine: true}
		if role.entry {
			s.name, s.entry = fmt.Sprintf("crypto/tls.%s+%#x", f.Name, f.Site-f.Entry), true
			s.why = "first emulated instruction with arguments and goroutine in their registers"
			if s.off, ok = m.fileOffset(f.Site); !ok {
				return nil, fmt.Errorf("resolve %s: %w", s.name, locate.ErrUncertain)
			}
			sites = append(sites, s)
		}
		if f.Spilled && role.what == whatRead {
			s.flags = flagSpilled
		}
		s.entry, s.cost = false, CostStepped
		s.why = "return instruction: Go's runtime does not bear return probes"
		for _, at := range f.Rets {
			s.name = fmt.Sprintf("crypto/tls.%s+%#x", f.Name, at-f.Entry)
			if s.off, ok = m.fileOffset(at); !ok {
				return nil, fmt.Errorf("resolve %s: %w", s.name, locate.ErrUncertain)
			}
			sites = append(sites, s)
		}
	}
	return sites, nil
}
