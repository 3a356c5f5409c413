package record_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/NoFear0411/spliff/format"
	"github.com/NoFear0411/spliff/record"
)

// counter is a sink that counts the bytes of each direction.
type counter map[format.Dir]int

func (c counter) Event(ev *format.Event) error {
	if ev.Type == format.TypeData {
		c[ev.Dir] += len(ev.Payload)
	}
	return nil
}

func (c counter) Flush() error { return nil }

// Records one command. Without root, or on another system, Open says why not.
func Example() {
	s, err := record.Open(context.Background(), record.Options{Command: []string{"true"}, Stdout: os.Stdout})
	switch {
	case errors.Is(err, record.ErrPermission), errors.Is(err, record.ErrNotSupported):
		fmt.Println("recorded 0 bytes") // the reason is in err
		return
	case err != nil:
		fmt.Println(err)
		return
	}
	defer s.Close()
	c := counter{}
	if err := s.Run(context.Background(), c); err != nil {
		fmt.Println(err)
	}
	fmt.Println("recorded", c[format.DirWrite]+c[format.DirRead], "bytes")
	// Output: recorded 0 bytes
}
