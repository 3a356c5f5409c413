package main

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/NoFear0411/spliff/record"
)

// selectFlags say which processes, and what of them, is recorded. Kinds narrow each
// other, values of one kind widen it.
type selectFlags struct {
	pids, parents              pidList
	comms, cgroups, containers []string
	users                      userList
	libraries                  kindList
	ipc, allProcesses          bool
}

func (o *selectFlags) register(fs *pflag.FlagSet) {
	fs.VarP(&o.pids, "pid", "p", "record this process (repeatable, or a list with commas)")
	fs.Var(&o.parents, "ppid", "record this process and its descendants (repeatable)")
	fs.StringArrayVar(&o.comms, "comm", nil, "record processes whose name contains `NAME` (repeatable)")
	fs.Var(&o.users, "uid", "record processes of this user, by name or number (repeatable)")
	fs.StringArrayVar(&o.cgroups, "cgroup", nil, "record processes in this cgroup v2, by `PATH` or id, and below it (repeatable)")
	fs.StringArrayVar(&o.containers, "container", nil, "record processes of the container whose `ID` begins so (repeatable)")
	fs.Var(&o.libraries, "lib", "record what goes through this kind of TLS library (repeatable; spliff libs lists them)")
	fs.BoolVar(&o.ipc, "ipc", false, "record TLS over local sockets (AF_UNIX and the like) too")
	fs.BoolVar(&o.allProcesses, "all-processes", false, "record birth, programs and end of every process of the host")
}

// check refuses values that no process can have.
func (o *selectFlags) check() error {
	for _, c := range o.comms {
		if len(c) == 0 || len(c) > 15 {
			return usagef("--comm %q: the kernel keeps 1 to 15 bytes of a process name", c)
		}
	}
	if slices.Contains(o.cgroups, "") {
		return usagef("--cgroup is empty: give a path or an id")
	}
	return nil
}

// choose sets what r records.
func (o *selectFlags) choose(r *record.Options) {
	r.PIDs, r.Parents, r.Comms, r.UIDs = o.pids, o.parents, o.comms, o.users
	r.Cgroups, r.Containers, r.Libraries = o.cgroups, o.containers, o.libraries
	r.Local, r.AllProcesses = o.ipc, o.allProcesses
}

// library reports whether not every kind of library is recorded.
func (o *selectFlags) library() bool { return len(o.libraries) > 0 }

// pidList is a flag that holds process ids.
type pidList []uint32

// Set adds the ids of "12" or "12,345".
func (l *pidList) Set(s string) error {
	// strconv takes care of signs and overflow: a pid is never negative here, as
	// it may be for kill, where that would mean a whole group.
	for _, word := range strings.Split(s, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(word), 10, 32)
		if err != nil || n == 0 {
			return fmt.Errorf("not a process id: %q", word)
		}
		*l = append(*l, uint32(n))
	}
	return nil
}

// String joins the ids with commas.
func (l *pidList) String() string {
	words := make([]string, len(*l))
	for i, n := range *l {
		words[i] = strconv.FormatUint(uint64(n), 10)
	}
	return strings.Join(words, ",")
}

// Type names the value in help texts.
func (l *pidList) Type() string { return "PID" }

// userList is a flag that holds users of this host.
type userList []uint32

// Set adds the users of "www-data" or "33,1000".
func (l *userList) Set(s string) error {
	for _, word := range strings.Split(s, ",") {
		word = strings.TrimSpace(word)
		text := word
		if u, err := user.Lookup(word); err == nil {
			text = u.Uid
		}
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return fmt.Errorf("no such user: %q", word)
		}
		*l = append(*l, uint32(n))
	}
	return nil
}

// String joins the numbers with commas.
func (l *userList) String() string { return (*pidList)(l).String() }

// Type names the value in help texts.
func (l *userList) Type() string { return "USER" }

// kindList is a flag that holds kinds of TLS library.
type kindList []string

// Set adds the kinds of "openssl,gnutls".
func (l *kindList) Set(s string) error {
	var names []string
	for _, k := range record.Kinds() {
		names = append(names, k.Name)
	}
	for _, word := range strings.Split(s, ",") {
		word = strings.TrimSpace(word)
		if !slices.Contains(names, word) {
			return fmt.Errorf("no TLS library is called %q: there are %s", word, strings.Join(names, ", "))
		}
		*l = append(*l, word)
	}
	return nil
}

// String joins the names with commas.
func (l *kindList) String() string { return strings.Join(*l, ",") }

// Type names the value in help texts.
func (l *kindList) Type() string { return "KIND" }
