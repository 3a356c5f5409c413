package eventjson

import "github.com/NoFear0411/spliff/format"

// The words for numbers of the format. "" is for a number without a word, which
// is written as it is.

func dirName(d format.Dir) string {
	switch d {
	case format.DirWrite:
		return "write"
	case format.DirRead:
		return "read"
	}
	return ""
}

func roleName(r format.Role) string {
	switch r {
	case format.RoleClient:
		return "client"
	case format.RoleServer:
		return "server"
	}
	return ""
}

func reasonName(r format.EndReason) string {
	switch r {
	case format.EndFree:
		return "free"
	case format.EndExit:
		return "exit"
	case format.EndExec:
		return "exec"
	case format.EndReuse:
		return "reuse"
	}
	return ""
}

func originName(o format.Origin) string {
	switch o {
	case format.OriginFound:
		return "found"
	case format.OriginFork:
		return "fork"
	case format.OriginExec:
		return "exec"
	}
	return ""
}

func causeName(c format.DropCause) string {
	switch c {
	case format.DropRingFull:
		return "ring_full"
	case format.DropFault:
		return "fault"
	case format.DropSnaplen:
		return "snaplen"
	case format.DropNoState:
		return "no_state"
	case format.DropMissed:
		return "missed"
	case format.DropControl:
		return "control"
	case format.DropWriter:
		return "writer"
	case format.DropEdited:
		return "edited"
	}
	return ""
}
