package decode

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOther(t *testing.T) {
	if Write.Other() != Read || Read.Other() != Write {
		t.Error("the other of a direction is not the other direction")
	}
}

func TestWithDefaults(t *testing.T) {
	got := Limits{}.WithDefaults()
	if got.Content != 0 {
		t.Errorf("content decoding is on by default: %d", got.Content)
	}
	for name, v := range map[string]int{
		"Body": got.Body, "Head": got.Head, "Fields": got.Fields, "Streams": got.Streams,
		"Pipeline": got.Pipeline, "Gaps": got.Gaps, "Anomalies": got.Anomalies,
		"Inner": got.Inner, "Idle": int(got.Idle),
	} {
		if v <= 0 {
			t.Errorf("%s has no default", name)
		}
	}
	set := Limits{Body: -1, Content: 2, Head: 3, Fields: 4, Streams: 5, Pipeline: 6, Gaps: 7, Anomalies: 8, Inner: 9, Idle: 10, Hash: true}
	if diff := cmp.Diff(set, set.WithDefaults()); diff != "" {
		t.Errorf("a limit that was set changed (-set +got):\n%s", diff)
	}
}

// The zero message must claim nothing: a decoder that forgets a field then
// says too little, not too much.
func TestZeroMessage(t *testing.T) {
	var m Message
	if m.Kind == Request || m.Kind == Response || m.Kind == Opaque || m.Kind == Notice || m.Kind == Inner || m.Flags != 0 {
		t.Error("the zero message has a kind or a flag")
	}
	flags := []Flags{Incomplete, Gapped, MidStream, UntilClose, Upgraded, Pushed, Reset, Continued, Last}
	var all Flags
	for _, f := range flags {
		if all&f != 0 {
			t.Errorf("flag %b is used twice", f)
		}
		all |= f
	}
}
