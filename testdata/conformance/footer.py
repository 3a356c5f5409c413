"""The footer, section 8 of format/FORMAT.md: read from the tail of a file, and rebuilt from a scan to compare."""

import struct

import events as ev
import frames as fr
from scan import Chunk, Section, id_set

ENTRY = 104
SEEK_FOOTER = 0x8F92EAB1
MANY_PROCS = 1024
MANY_UNWATCHED = 256
ALL = (1 << 64) - 1


class NoFooter(Exception):
    """The file cannot be opened from its end."""


def chunk_line(at, c, conns, pids):
    return {"chunk": c.no, "offset": at, "raw_len": c.raw_len, "comp_len": c.comp_len, "n_events": c.n_events,
            "first_seq": c.first_seq, "min_time": c.min_time, "max_time": c.max_time, "min_pid": c.min_pid,
            "max_pid": c.max_pid, "type_mask": c.mask, "lost": c.lost, "n_conns": c.n_conns, "conns": conns, "pids": pids}


# From the tail.

def step_back(data, end):
    """Steps over a seek table that ends at end."""
    if end < 17 or struct.unpack_from("<I", data, end - 4)[0] != SEEK_FOOTER:
        return end
    count, desc = struct.unpack_from("<IB", data, end - 9)
    each = 12 if desc & 0x80 else 8
    at = end - 9 - count * each - 8
    if at < 0 or fr.magic(data, at) != fr.SEEK or struct.unpack_from("<I", data, at + 4)[0] != end - at - 8:
        raise NoFooter("seek table")
    return at


def section_before(data, end):
    """Returns the file header, footer frames and chunk lines of the section that ends at end."""
    end = step_back(data, end)
    if end < 128:
        raise NoFooter("too short")
    back = struct.unpack_from("<I", data, end - 8)[0]
    t = fr.frame_at(data, end - back) if back <= end else None
    if not t or t.end != end or t.tag != b"SPLT" or not t.fits(112):
        raise NoFooter("trailer")
    head = fr.frame_at(data, t.at - t.u("Q", 16)) if t.u("Q", 16) <= t.at else None
    if not head or head.tag != b"SPLF" or head.crc != t.u("I", 96) or Section(head).refused:
        raise NoFooter("file header")
    index = fr.frame_at(data, t.at - t.u("Q", 24)) if 0 < t.u("Q", 24) <= t.at else None
    if not index or index.tag != b"SPLI" or not index.fits(32):
        raise NoFooter("index")
    summary = fr.frame_at(data, t.at - t.u("Q", 32)) if 0 < t.u("Q", 32) <= t.at else None
    return head, index, summary, t


def entries(data, head, index):
    """Yields a line for each entry of an index, checked against the chunk header that it leads to."""
    count, entry_len = index.u("I", 16), index.u("I", 20)
    var, at, last = index.variable(), 0, head.end
    if entry_len < ENTRY:
        raise NoFooter("entry length")
    for _ in range(count):
        if at + entry_len > len(var):
            raise NoFooter("entry is cut")
        offset = head.at + struct.unpack_from("<Q", var, at)[0]
        copy = var[at + 8:at + 96]
        filter_kind, filter_len, pids_len = struct.unpack_from("<HHH", copy, 68)
        sets = var[at + entry_len:at + entry_len + filter_len + pids_len]
        at += entry_len + ev.pad8(filter_len + pids_len)
        f = fr.frame_at(data, offset) if last <= offset < index.at else None
        if not f or f.tag != b"SPLC" or not f.fits(104):
            raise NoFooter("entry leads to no chunk")
        c = Chunk(f, None)
        if c.end > index.at or c.crc_section != head.crc or not same_header(copy, c.head, filter_kind):
            raise NoFooter("entry is not as its chunk header")
        if strangers(data, last, offset) != offset:
            raise NoFooter("a gap between entries")
        last = c.end
        own = filter_kind != 2
        yield chunk_line(offset, c, id_set(sets[:filter_len]) if own and filter_kind == 1 else c.conns,
                         id_set(sets[filter_len:]) if own and pids_len else c.pids)
    if strangers(data, last, index.at) != index.at:
        raise NoFooter("a gap behind the last entry")


def strangers(data, at, end):
    """Steps over skippable frames of others, up to end at most."""
    while at < end and (m := fr.magic(data, at)) != fr.OURS and fr.is_skippable(m):
        at += 8 + int.from_bytes(data[at + 4:at + 8], "little")
    return at


def same_header(copy, head, filter_kind):
    """Compares an entry's copy with bytes 16 to 103 of the chunk header: the lengths of sets left out may differ."""
    if filter_kind == 2:
        return copy[:68] == head[:68] and copy[74:] == head[74:]
    return copy == head


def from_tail(data):
    out, end = [], len(data)
    try:
        while end > 0:
            head, index, summary, t = section_before(data, end)
            lines = [{"section": head.at}, *entries(data, head, index)]
            if summary:
                lines.append({"summary": summary_fields(summary)})
            lines.append({"trailer": trailer_fields(t)})
            out = lines + out
            end = head.at
    except NoFooter as e:
        return [{"no footer": str(e)}]
    return out


def trailer_fields(t):
    names = ("events", "raw_bytes", "min_time", "max_time", "lost_events", "lost_bytes")
    return {**{n: t.u("Q", 40 + 8 * i) for i, n in enumerate(names)}, "chunks": t.u("I", 88), "status": t.u("I", 92)}


def summary_fields(f):
    lists = {1: ("count", "<QQ"), 2: ("drop", "<QQQQ"), 5: ("probe", None), 6: ("proc", None), 11: ("unwatched", None)}
    single = {3: "written", 4: "read", 7: "procs", 8: "conns"}
    out = {"count": [], "drop": [], "probe": [], "proc": [], "unwatched": []}
    for typ, _, v in ev.elements(f.variable()):
        if typ in lists:
            name, layout = lists[typ]
            out[name].append(list(struct.unpack_from(layout, v)) if layout else v.hex())
        elif typ in single:
            out[single[typ]] = ev.number(v, "u64")
        elif typ == 9:
            out["clocks"] = list(struct.unpack_from("<qQqQ", v))
        elif typ == 10:
            out["end"] = v.hex()
    return {k: v for k, v in out.items() if v}


# From a scan.

def from_scan(r):
    """The lines that from_tail gives if the footer tells the truth."""
    if not r.scan:
        return [{"no footer": "bare"}]
    out, rest = [], list(r.events)
    for s in r.scan.sections:
        if not s.trailer:
            return [{"no footer": "section without trailer"}]
        mine = [rest.pop(0) for _ in range(min(len(rest), sum(c.n_events for c in s.chunks)))]
        out.append({"section": s.at})
        out += [chunk_line(c.at, c, c.conns, c.pids) for c in s.chunks]
        if s.summary:
            out.append({"summary": summarize(mine)})
        out.append({"trailer": totals(s, mine)})
    return out


def totals(s, events):
    new = [e for e in events if not e.repeat]
    drops = [e.fields() for e in new if e.type == ev.DROP]
    end = [e.fields() for e in new if e.type == ev.END]
    return {"events": len(new), "raw_bytes": sum(c.raw_len for c in s.chunks),
            "min_time": min((c.min_time for c in s.chunks if c.max_time), default=0), "max_time": max((c.max_time for c in s.chunks), default=0),
            "lost_events": min(ALL, sum(d.get("events", 0) for d in drops)),
            "lost_bytes": min(ALL, sum(d.get("bytes", 0) for d in drops)),
            "chunks": len(s.chunks), "status": 0 if not end else 2 if end[-1].get("next") else 1}


def summarize(events):
    new = [e for e in events if not e.repeat]
    count, drop, out = {}, {}, {}
    for e in new:
        count[e.type] = count.get(e.type, 0) + 1
        if e.type == ev.DROP:
            d = e.fields()
            n, lost, size = drop.get(d.get("cause", 0), (0, 0, 0))
            drop[d.get("cause", 0)] = (n + 1, min(ALL, lost + d.get("events", 0)), min(ALL, size + d.get("bytes", 0)))
    procs = {e.fields().get("pid", 0): e.payload.hex() for e in events if e.type == ev.PROC and e.payload}
    probes = {e.fields().get("id", 0): e.payload.hex() for e in events if e.type == ev.PROBE and e.payload}
    out["count"] = [[k, v] for k, v in sorted(count.items())]
    out["drop"] = [[k, *v] for k, v in sorted(drop.items())]
    out["probe"] = [v for _, v in sorted(probes.items())]
    out["proc"] = [v for _, v in sorted(procs.items())][:MANY_PROCS]
    out["unwatched"] = list(dict.fromkeys(e.payload.hex() for e in events if e.type == ev.UNWATCHED and e.payload))[:MANY_UNWATCHED]
    for name, direction in (("written", 1), ("read", 2)):
        out[name] = sum(len(e.payload) for e in new if e.type == ev.DATA and e.dir == direction)
    named = {e.fields().get("pid", 0) for e in events if e.type in (ev.PROC, ev.PROC_END, ev.CONN)}
    out["procs"] = len(named - {0})
    out["conns"] = len({e.conn for e in events} - {0})
    clocks = [e.fields() for e in new if e.type == ev.CLOCK]
    if clocks:
        out["clocks"] = [c.get(k, 0) for c in (clocks[0], clocks[-1]) for k in ("wall", "mono")]
    end = [e.payload.hex() for e in new if e.type == ev.END]
    if end and end[-1]:
        out["end"] = end[-1]
    return {k: v for k, v in out.items() if v}
