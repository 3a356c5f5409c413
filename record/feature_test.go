package record

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oldKernel has what it lists: functions, values of enums, and "tp:" tracepoints.
type oldKernel []string

func (k oldKernel) function(name string) bool   { return slices.Contains(k, name) }
func (k oldKernel) enumerator(name string) bool { return slices.Contains(k, name) }
func (k oldKernel) tracepoint(name string) bool { return slices.Contains(k, "tp:"+name) }

// kernelOf has all that the named release has of what we ask for.
func kernelOf(release string) oldKernel {
	k := oldKernel{"tp:sched_process_fork", "tp:sched_process_exec", "tp:sched_process_exit", "uprobe_register"}
	for _, of := range []struct {
		release string
		has     []string
	}{
		{"5.8", []string{"BPF_MAP_TYPE_RINGBUF"}},
		{"5.11", []string{"BPF_MAP_TYPE_TASK_STORAGE"}},
		{"5.15", []string{"BPF_FUNC_get_attach_cookie"}},
		{"6.1", []string{"BPF_FUNC_loop", "BPF_FUNC_tcp_raw_gen_syncookie_ipv4"}},
		{"6.3", []string{"tp:sock_send_length", "tp:sock_recv_length"}},
		{"6.6", []string{"BPF_TRACE_UPROBE_MULTI"}},
		{"6.13", []string{"BPF_TRACE_UPROBE_SESSION", "bpf_session_is_return"}},
	} {
		k = append(k, of.has...)
		if of.release == release {
			break
		}
	}
	return k
}

func TestFeaturesOf(t *testing.T) {
	tests := []struct {
		release string
		without []Feature
		want    []Feature
	}{
		{"6.1", nil, nil},
		{"6.3", nil, []Feature{FeatureSockLength}},
		{"6.6", nil, []Feature{FeatureSockLength, FeatureUprobeMulti}},
		{"6.13", nil, Features()},
		// A session is a multi link: without the one there is no other.
		{"6.13", []Feature{FeatureUprobeMulti}, []Feature{FeatureSockLength}},
		{"6.13", Features(), nil},
	}
	for _, tt := range tests {
		got := featuresOf(kernelOf(tt.release), tt.without)
		if d := cmp.Diff(tt.want, got, cmp.Transformer("", func(f []Feature) string { return strings.Join(texts(f), " ") })); d != "" {
			t.Errorf("%s without %v: %s", tt.release, tt.without, d)
		}
	}
}

func texts(fs []Feature) (s []string) {
	for _, f := range fs {
		s = append(s, f.String())
	}
	return s
}

func TestKernelNeeds(t *testing.T) {
	for release, want := range map[string]string{
		"5.8":  "task storage, attach cookies, bpf_loop, array values beyond 4 MiB",
		"5.15": "bpf_loop, array values beyond 4 MiB",
		"6.1":  "",
	} {
		var lacks []string
		for _, n := range kernelNeeds() {
			if !n.has(kernelOf(release)) {
				lacks = append(lacks, n.name)
			}
		}
		if got := strings.Join(lacks, ", "); got != want {
			t.Errorf("%s lacks %q, want %q", release, got, want)
		}
	}
}

func TestFeatureByName(t *testing.T) {
	for _, f := range Features() {
		got, err := FeatureByName(f.String())
		if err != nil || got != f || f.Since() == "" || f.Lack() == "" {
			t.Errorf("%v: %v, %v, since %q, lack %q", f, got, err, f.Since(), f.Lack())
		}
	}
	if _, err := FeatureByName("time-travel"); err == nil || !strings.Contains(err.Error(), "sock-length") {
		t.Errorf("got %v, want the names", err)
	}
}
