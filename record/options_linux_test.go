package record

import "testing"

func TestFilterWords(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{}, ""},
		{Options{PIDs: []uint32{8, 9}}, "pid 8 or pid 9"},
		{Options{PIDs: []uint32{8}, Comms: []string{"nginx", "curl"}}, "pid 8 and comm nginx or comm curl"},
		{Options{Parents: []uint32{7}, Command: []string{"make", "test"}}, "descendants of 7 or command make"},
	} {
		if got := filterWords(tt.o); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.o, got, tt.want)
		}
	}
}

func TestRingSize(t *testing.T) {
	for n, want := range map[int]int{0: defaultRing, -1: defaultRing, 1: minRing, minRing + 1: 2 * minRing, 64 << 20: 64 << 20, 1 << 62: maxRing} {
		if got := ringSize(n); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
}
