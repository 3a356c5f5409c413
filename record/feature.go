package record

import (
	"fmt"
	"slices"
	"strings"
)

// Feature is something of newer kernels that a recording does without where it
// is missing.
type Feature uint8

// Features, newest last.
const (
	FeatureSockLength  Feature = iota // tracepoints sock_send_length, sock_recv_length
	FeatureUprobeMulti                // many probes in one link
	FeatureSession                    // entry and return in one probe
)

// featureTable has what is to be said of each Feature, in their order. lack is the
// price of doing without.
var featureTable = [...]struct{ name, since, lack string }{
	{"sock-length", "6.3", "connections have no addresses"},
	{"uprobe-multi", "6.6", "each probe is a link of its own: recordings start and end more slowly, and take more file descriptors"},
	{"uprobe-session", "6.13", "entry and return of a call are two probes, and programs that are not recorded pay for both; handshakes inside reads and writes are not seen"},
}

// Features lists all of them.
func Features() []Feature {
	all := make([]Feature, len(featureTable))
	for i := range all {
		all[i] = Feature(i)
	}
	return all
}

// FeatureByName returns the feature with this name.
func FeatureByName(name string) (Feature, error) {
	var names []string
	for _, f := range Features() {
		if f.String() == name {
			return f, nil
		}
		names = append(names, f.String())
	}
	return 0, fmt.Errorf("no kernel feature %q: they are %s", name, strings.Join(names, ", "))
}

// String names the feature as FeatureByName takes it.
func (f Feature) String() string {
	if int(f) >= len(featureTable) {
		return fmt.Sprintf("feature-%d", uint8(f))
	}
	return featureTable[f].name
}

// Since is the first Linux release that has the feature.
func (f Feature) Since() string { return featureTable[f].since }

// Lack says what it costs to do without.
func (f Feature) Lack() string { return featureTable[f].lack }

// kernelTypes answers what the running kernel has.
type kernelTypes interface {
	function(name string) bool   // that BPF programs may call, or of the kernel
	enumerator(name string) bool // of the BPF system call's interface
	tracepoint(name string) bool
}

// featuresOf returns the features that the kernel has and that o does not forgo.
func featuresOf(k kernelTypes, without []Feature) []Feature {
	has := map[Feature]bool{
		FeatureSockLength:  k.tracepoint("sock_send_length") && k.tracepoint("sock_recv_length"),
		FeatureUprobeMulti: k.enumerator("BPF_TRACE_UPROBE_MULTI"),
		FeatureSession:     k.enumerator("BPF_TRACE_UPROBE_SESSION") && k.function("bpf_session_is_return"),
	}
	// A session is a kind of multi link.
	has[FeatureSession] = has[FeatureSession] && has[FeatureUprobeMulti] && !slices.Contains(without, FeatureUprobeMulti)
	return slices.DeleteFunc(Features(), func(f Feature) bool { return !has[f] || slices.Contains(without, f) })
}

// kernelNeed is what a kernel must have to record at all.
type kernelNeed struct {
	name, since string
	has         func(kernelTypes) bool
}

// kernelNeeds lists them, newest last.
func kernelNeeds() []kernelNeed {
	value := func(name string) func(kernelTypes) bool {
		return func(k kernelTypes) bool { return k.enumerator(name) }
	}
	return []kernelNeed{
		{"uprobes", "3.5", func(k kernelTypes) bool { return k.function("uprobe_register") }},
		{"process tracepoints", "5.5", func(k kernelTypes) bool {
			return k.tracepoint("sched_process_fork") && k.tracepoint("sched_process_exec") && k.tracepoint("sched_process_exit")
		}},
		{"ring buffer", "5.8", value("BPF_MAP_TYPE_RINGBUF")},
		{"task storage", "5.11", value("BPF_MAP_TYPE_TASK_STORAGE")},
		{"attach cookies", "5.15", value("BPF_FUNC_get_attach_cookie")},
		{"bpf_loop", "5.17", value("BPF_FUNC_loop")},
		// The ring is one; nothing says so, but this came with the same release.
		{"array values beyond 4 MiB", "6.0", value("BPF_FUNC_tcp_raw_gen_syncookie_ipv4")},
	}
}
