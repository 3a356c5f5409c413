package record

import (
	"fmt"

	"github.com/NoFear0411/spliff/record/locate"
)

// goKind names Go's crypto/tls as a [Kind].
const goKind = "go"

// goRoles are the functions of crypto/tls that are watched. Those of which only one
// end is are seen inside of another that is.
var goRoles = map[string]struct {
	what       what
	how        how
	entry, ret bool
}{
	"(*Conn).Read":                        {whatRead, howReturn, true, true},
	"(*Conn).Write":                       {whatWrite, howReturn, true, true},
	"(*Conn).Close":                       {whatFree, 0, true, true},
	"(*Conn).clientHandshake":             {whatHandshake, howConnect, true, true},
	"(*Conn).serverHandshake":             {whatHandshake, howAccept, true, true},
	"(*Conn).handleRenegotiation":         {whatReneg, 0, true, true},
	"(*encryptedExtensionsMsg).unmarshal": {whatExtensions, 0, true, false},
	"negotiateALPN":                       {whatALPN, 0, false, true},
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
		if !role.ret {
			continue
		}
		if f.Spilled && role.what == whatRead {
			s.flags = flagSpilled
		}
		s.entry = false
		s.why = "return instruction: Go's runtime does not bear return probes"
		if f.Exit != 0 || f.Done != 0 {
			done := s
			done.frame, done.result = f.Frame, f.Result
			at := f.Done
			switch {
			case f.Exit != 0:
				at, done.name = f.Exit, "what crypto/tls."+f.Name+" defers"
				done.why = "passed before the connection is unlocked: stands for the returns of calls that had its lock"
				s.why = "return instruction of calls that never had the lock: Go's runtime does not bear return probes"
			case role.what == whatRead:
				done.why = "call that copies plaintext to the caller: stands for the returns of calls that succeed"
			default:
				done.why = "behind what sends the last part: stands for the returns of calls that succeed"
			}
			if f.Done != 0 {
				done.name = fmt.Sprintf("crypto/tls.%s+%#x", f.Name, at-f.Entry)
				s.why = "return instruction of calls that fail: Go's runtime does not bear return probes"
			}
			if done.off, ok = m.fileOffset(at); !ok {
				return nil, fmt.Errorf("resolve %s: %w", done.name, locate.ErrUncertain)
			}
			sites = append(sites, done)
		}
		s.cost = CostStepped
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
