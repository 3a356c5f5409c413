//go:build amd64 || arm64

package record

import (
	"slices"
	"strings"
)

// demand is a file with sites that are watched on demand, as one process has it mapped.
type demand struct {
	open, id string
}

// onDemand returns the sites that are watched in processes that ask for it.
func onDemand(found []content) []site {
	return sitesThat(found, func(s site) bool { return s.demand })
}

func sitesThat(found []content, are func(site) bool) (sites []site) {
	for _, c := range found {
		for _, s := range c.sites {
			if are(s) {
				sites = append(sites, s)
			}
		}
	}
	return sites
}

// demanded returns those of a file by its identity.
func (l *libs) demanded(id string) []site {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.demand[id]
}

// demands lists the files a process has mapped that have some, always in the same order:
// libraries by their names, and the program. A library that was replaced while it was
// mapped has another identity, and is read again.
func (l *libs) demands(maps []mapped) (has []demand) {
	exe := ""
	if len(maps) > 0 {
		exe = l.proc.exe(maps[0].pid)
	}
	for _, m := range maps {
		rows := named(m.base())
		if rows == nil && m.path != exe {
			continue
		}
		id, ok := identity(m.open)
		if !ok || slices.ContainsFunc(has, func(d demand) bool { return d.id == id }) {
			continue
		}
		l.mu.Lock()
		sites, known := l.demand[id]
		l.mu.Unlock()
		if !known && rows != nil {
			if img, err := openImage(m.open); err == nil {
				sites = onDemand(l.k.asked(contents(img, rows)))
				img.Close()
			}
			l.mu.Lock()
			l.demand[id] = sites
			l.mu.Unlock()
		}
		if len(sites) > 0 {
			has = append(has, demand{m.open, id})
		}
	}
	slices.SortFunc(has, func(a, b demand) int { return strings.Compare(a.id, b.id) })
	return has
}
