package eventjson

import "github.com/NoFear0411/spliff/format"

// The words for numbers of the format. "" is for a number without a word, which
// is written as it is.

func typeName(t format.Type) string {
	switch t {
	case format.TypeData:
		return "data"
	case format.TypeConn:
		return "conn"
	case format.TypeConnEnd:
		return "conn_end"
	case format.TypeProc:
		return "proc"
	case format.TypeProcEnd:
		return "proc_end"
	case format.TypeDrop:
		return "drop"
	case format.TypeClock:
		return "clock"
	case format.TypeSession:
		return "session"
	case format.TypeProbe:
		return "probe"
	case format.TypeKeyLog:
		return "keylog"
	case format.TypeAttach:
		return "attach"
	case format.TypeMark:
		return "mark"
	case format.TypeTick:
		return "tick"
	case format.TypeEnd:
		return "end"
	case format.TypeHandshake:
		return "handshake"
	}
	return ""
}

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
