package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/NoFear0411/spliff/format/disk"
	"github.com/NoFear0411/spliff/record"
)

// reportFailure says what may be left of a recording that failed. How much of what
// came reached the disk is known only to who reads the file.
func (o *recordOptions) reportFailure(e *env, st record.Stats, store *disk.Store) {
	e.say("spliff: the recording ended early: %s with %s of plaintext came, and the last of them may be missing from the session",
		count(st.Events, "data event"), bytesText(st.Bytes))
	if store == nil {
		return
	}
	files := store.Files()
	if len(files) == 0 {
		return
	}
	last := files[len(files)-1]
	if strings.HasSuffix(last, partSuffix) {
		e.say("spliff: %s stays, as far as it was written", last)
	}
	e.say("spliff: next: spliff info %s%s", shellWord(last), o.withKey())
}

// limited says that the recording ended at a limit of its own, and what of the
// command is not in it; "" if it ended otherwise.
func (o *recordOptions) limited(ctx context.Context, rec recorder) string {
	var line string
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSize):
		line = "ended at --max-size " + o.maxSize.String()
	case errors.Is(cause, errLimit):
		line = "ended after --for " + o.limit.String()
	default:
		return ""
	}
	if len(o.command) == 0 {
		return line
	}
	if _, ended := rec.ChildExit(); ended {
		return line
	}
	return line + "; " + o.command[0] + " still runs, and is not recorded any more"
}

// pruned says what --keep has left of the session, "" if it deleted nothing.
func (o *recordOptions) pruned(store *disk.Store) string {
	if store == nil {
		return ""
	}
	gone, left := store.Deleted()
	if gone == 0 {
		return ""
	}
	return fmt.Sprintf("%s deleted (--keep %d) with what was in them; the newest are there: %s (%s)",
		were(gone, "older file"), o.fileFlags.keep, fromTo(store.Files()), bytesText(uint64(left)))
}

// fromTo names files.
func fromTo(files []string) string {
	if len(files) == 1 {
		return files[0]
	}
	return fmt.Sprintf("%d files from %s to %s", len(files), files[0], files[len(files)-1])
}

// sizeOf says where the session is and how much was written.
func sizeOf(store *disk.Store) string {
	if store == nil {
		return ""
	}
	files := store.Files()
	if gone, _ := store.Deleted(); gone > 0 || len(files) == 0 {
		return "" // what is there is said elsewhere
	}
	return fmt.Sprintf(", in %s (%s)", fromTo(files), bytesText(uint64(store.Stored())))
}

// next says how to look at the session.
func (o *recordOptions) next(files []string) string {
	return "spliff show " + shellWords(files) + o.withKey()
}

// withKey is the flag that the session needs to be read.
func (o *recordOptions) withKey() string {
	if o.encrypted() {
		return " -i KEYFILE"
	}
	return ""
}
