package export

import "github.com/NoFear0411/spliff/replay"

// Sink takes the items of an engine in their order. Those of this package keep nothing
// of an item of a message or exchange, so the engine's may be transient. Item may be given to
// replay.New as it is. Close writes what is left but does not close the
// writer below. A Sink is used from one goroutine; after an error of the writer
// below, that error is returned for good.
type Sink interface {
	Item(*replay.Item) error
	Close() error
}
