package content

import (
	"crypto/sha256"
	"testing"

	"github.com/NoFear0411/spliff/decode"
)

func TestSum(t *testing.T) {
	whole := sha256.Sum256([]byte("hello world"))
	tests := []struct {
		name  string
		flags decode.Flags
		lost  uint64
		kept  int // of the 11 bytes; they come in two pieces
		shed  bool
		want  bool
	}{
		{"all kept", 0, 0, 11, false, true},
		{"half kept", 0, 0, 5, false, true},
		{"nothing kept", 0, 0, 0, false, true},
		{"dropped between", 0, 0, 11, true, true},
		{"bytes lost", 0, 1, 11, false, false},
		{"no end", decode.Incomplete, 0, 11, false, false},
		{"no beginning", decode.MidStream, 0, 11, false, false},
	}
	for _, tt := range tests {
		var s Sum
		m := decode.Message{Flags: tt.flags}
		b := &m.Body
		b.Lost = tt.lost
		for _, p := range []string{"hello ", "world"} {
			room := tt.kept - len(b.Data)
			if b.Cut {
				room = 0
			}
			if room < len(p) {
				s.Start(b)
			}
			s.Add([]byte(p))
			b.Size += uint64(len(p))
			b.Cut = b.Cut || room < len(p)
			b.Data = append(b.Data, p[:min(len(p), room)]...)
			if tt.shed {
				s.Start(b)
				b.Data, b.Cut = nil, true
			}
		}
		s.Finish(&m)
		if got := string(b.SHA256) == string(whole[:]); got != tt.want || !tt.want && b.SHA256 != nil {
			t.Errorf("%s: %x", tt.name, b.SHA256)
		}
	}
	var s Sum
	if m := (decode.Message{}); true {
		if s.Finish(&m); m.Body.SHA256 != nil {
			t.Error("an empty body has a hash")
		}
	}
}
