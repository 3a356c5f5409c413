package replay

import "testing"

// TestTake: a goroutine stays with its lane until another one is far behind.
func TestTake(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lanes []lane
		want  [2]int // by who asks
	}{
		{"own lanes", []lane{{next: 5, last: 0}, {next: 5, last: 1}}, [2]int{0, 1}},
		{"one is behind", []lane{{next: 6, last: 0}, {next: 6 - away, last: 1}}, [2]int{0, 1}},
		{"one is far behind", []lane{{next: 6, last: 0}, {next: 5 - away, last: 1}}, [2]int{1, 1}},
		{"own lane is done", []lane{{next: 9, last: 0}, {next: 8, last: 1}}, [2]int{1, 1}},
		{"one is busy", []lane{{next: 5, last: 0}, {next: 1, last: 1, busy: true}}, [2]int{0, 0}},
		{"nothing to do", []lane{{next: 9, last: 0}, {next: 8, last: 1, busy: true}}, [2]int{-1, -1}},
	} {
		p := pool{lanes: tt.lanes, sent: 9}
		for who, want := range tt.want {
			if got := p.take(who); got != want {
				t.Errorf("%s: %d takes %d, want %d", tt.name, who, got, want)
			}
		}
	}
}
