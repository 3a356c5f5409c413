package format

// The version of the format this package writes, and the newest it reads.
const (
	Major = 1
	Minor = 1
)

// Limits of the format. A writer never exceeds them and a reader checks them
// before it allocates anything, so a hostile file cannot choose how much
// memory its analysis takes.
const (
	// MaxPayload is the most bytes of payload in one event.
	MaxPayload = 16 << 20
	// MaxEvent is the most bytes of one event: payload, header and options.
	MaxEvent = MaxPayload + 128<<10
	// MaxDefinition is the most bytes of payload in a CONN, PROC, PROBE, UNWATCHED
	// or SESSION event. The first three are repeated in every chunk that needs
	// them, the last lives in the file header too.
	MaxDefinition = 48 << 10
	// MaxChunk is the most bytes of events in one chunk.
	MaxChunk = 64 << 20
	// MaxHeader is the most bytes of a file header or chunk header frame.
	MaxHeader = 64 << 10
	// MaxSummary is the most bytes of a summary frame, MaxIndex of an index frame.
	MaxSummary = 1 << 20
	MaxIndex   = 64 << 20
	// MaxWindow is the largest zstd window a reader has to hold.
	MaxWindow = 8 << 20
	// MaxList is the most elements of a list in a payload, such as Proc.Args.
	MaxList = 1 << 16
)
