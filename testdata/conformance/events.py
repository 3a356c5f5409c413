"""Events of a session file as JSON: sections 3 (TLV), 6 and 7 of format/FORMAT.md."""

import hashlib
import ipaddress
import re
import struct

TYPES = {1: "DATA", 2: "CONN", 3: "CONN_END", 4: "PROC", 5: "PROC_END", 6: "DROP", 7: "CLOCK", 8: "SESSION",
         9: "PROBE", 10: "KEYLOG", 11: "ATTACH", 12: "MARK", 13: "TICK", 14: "END", 15: "HANDSHAKE", 16: "UNWATCHED"}
DATA, CONN, PROC, PROC_END, DROP, CLOCK, SESSION, PROBE, END, UNWATCHED = 1, 2, 4, 5, 6, 7, 8, 9, 14, 16
OPTIONS, REPEAT = 1 << 1, 1 << 4
CRITICAL = 1 << 0

MAX_EVENT = 16_908_288
MAX_PAYLOAD = 16_777_216
MAX_DEFINITION = 49_152
MAX_LIST = 65_536
SHOWN = 256  # a longer run of bytes is told by its length and SHA-256

# Payloads that are lists of elements: number of the element -> name, kind.
ELEMENTS = {
    CONN: {1: ("pid", "u32"), 2: ("ssl", "u64"), 3: ("generation", "u32"), 4: ("cookie", "u64"), 5: ("role", "u8"),
           6: ("mid_stream", "bool"), 7: ("local", "address"), 8: ("remote", "address"), 9: ("alpn", "text"),
           10: ("conflicts", "u32"), 11: ("start", "u64")},
    PROC: {1: ("pid", "u32"), 2: ("ppid", "u32"), 3: ("uid", "u32"), 4: ("start", "u64"), 5: ("comm", "text"),
           6: ("exe", "text"), 7: ("arg", "list"), 8: ("cgroup", "text"), 9: ("ancestor", "ancestors"), 10: ("origin", "u8"),
           11: ("cgroup_id", "u64"), 12: ("args_cut", "bool"), 13: ("context", "bool")},
    SESSION: {1: ("writer", "text"), 2: ("host", "text"), 3: ("kernel", "text"), 4: ("arch", "text"),
              5: ("command", "list"), 6: ("filter", "text"), 7: ("uuid", "uuid"), 8: ("wall", "i64"), 9: ("mono", "u64"),
              10: ("utc_offset", "i32")},
    PROBE: {1: ("id", "u8"), 2: ("library", "text"), 3: ("path", "text"), 4: ("build_id", "text"), 5: ("site", "list")},
    END: {1: ("reason", "text"), 2: ("events", "u64"), 3: ("bytes", "u64"), 4: ("lost_events", "u64"),
          5: ("lost_bytes", "u64"), 6: ("next", "u32"), 7: ("cause", "row3"), 8: ("cpu", "row5"), 9: ("local", "row3")},
    UNWATCHED: {1: ("library", "text"), 2: ("path", "text"), 3: ("build_id", "text"), 4: ("reason", "text")},
}

# Kinds that are lists, and how many items they have at most.
LISTS = {"list": MAX_LIST, "ancestors": 64, "row3": MAX_LIST, "row5": MAX_LIST}

# Payloads with fields at fixed offsets: layout, names.
FIXED = {
    3: ("<B?6xQQQQ", ("reason", "shutdown", "written", "read", "lost_written", "lost_read")),
    5: ("<I4x", ("pid",)),
    6: ("<B7xQQQ", ("cause", "events", "bytes", "offset")),
    7: ("<qQ", ("wall", "mono")),
    15: ("<?7xQ", ("ok", "ns")),
}

# What 1.1 has behind them, as a whole or not at all.
ADDED = {
    3: ("<QQQQQQ", ("ring_full_written", "fault_written", "snaplen_written", "ring_full_read", "fault_read", "snaplen_read")),
    5: ("<QQI?3x", ("start", "time", "status", "exited")),
}


class Malformed(Exception):
    """The content is not what its checksums vouch for."""


class Short(Malformed):
    """It ends before it should."""


class Unreadable(Exception):
    """One event, or list, that uses what this reader must know and doesn't."""

    end = seq = 0  # of an event: the offset behind it, and its seq


def pad8(n):
    return (n + 7) & ~7


def elements(b):
    """Yields type, critical, value of each element of a TLV list."""
    at = 0
    while at < len(b):
        if len(b) - at < 8:
            raise Malformed("element header is cut")
        kind, flags, n = struct.unpack_from("<HHI", b, at)
        if n > len(b) - at - 8:
            raise Malformed("element is longer than its list")
        yield kind, bool(flags & CRITICAL), b[at + 8:at + 8 + n]
        at += 8 + pad8(n)


def text(b):
    """Text as a string, or as hexadecimal where it is not UTF-8."""
    try:
        return b.decode("utf-8")
    except UnicodeDecodeError:
        return {"hex": b.hex()}


def number(value, kind):
    if len(value) < 8:
        raise Malformed("number is short")
    n = int.from_bytes(value[:8], "little")
    if kind == "bool":
        return n != 0
    signed, bits = kind[0] == "i", int(kind[1:])
    if signed and n >= 1 << 63:
        n -= 1 << 64
    low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
    if not low <= n < high:
        raise Malformed("number is too large for its field")
    return n


def address(b):
    if len(b) < 4:
        raise Malformed("address is short")
    port, family = struct.unpack_from("<HB", b)
    size = {4: 4, 6: 16}.get(family)
    if size is None or len(b) < 4 + size:
        raise Malformed("address is short or of unknown family")
    if family == 4:
        return "%s:%d" % (ipaddress.IPv4Address(b[4:8]), port)
    ip = ipaddress.IPv6Address(b[4:20])
    host = "::ffff:%s" % ip.ipv4_mapped if ip.ipv4_mapped else str(ip)
    zone = b[20:].decode("utf-8", "replace")
    return "[%s%s]:%d" % (host, "%" + zone if zone else "", port)


def ancestor(b):
    m = re.fullmatch(rb"(0|[1-9][0-9]*) (0|[1-9][0-9]*) .*", b, re.DOTALL)
    if not m or int(m[1]) >= 1 << 32 or int(m[2]) >= 1 << 64:
        raise Malformed("not an ancestor")
    return text(b)


def value_of(kind, value):
    if kind in ("text", "list"):
        return text(value)
    if kind == "ancestors":
        return ancestor(value)
    if kind.startswith("row"):
        n = int(kind[3:])
        if len(value) < 8 * n:
            raise Malformed("row is short")
        return list(struct.unpack_from("<%dQ" % n, value))
    if kind == "address":
        return address(value)
    if kind == "uuid":
        if len(value) < 16:
            raise Malformed("uuid is short")
        return value[:16].hex()
    return number(value, kind)


def tlv_fields(payload, known):
    fields = {}
    for typ, critical, value in elements(payload):
        if typ not in known:
            if critical:
                raise Unreadable("critical element %d is not known" % typ)
            continue
        name, kind = known[typ]
        v = value_of(kind, value)
        if name == "cause" and v[0] > 255:
            raise Malformed("cause is too large")
        if kind in LISTS:
            items = fields.setdefault(name, [])
            if len(items) == LISTS[kind]:
                raise Malformed("list has too many items")
            items.append(v)
        else:
            fields[name] = v
    if isinstance(fields.get("local"), list):  # of END; no list: the last one counts
        fields["local"] = fields["local"][-1:]
    return {k: v for k, v in fields.items() if v not in (0, "", "00" * 16)}


def fixed_fields(typ, payload):
    layout, names = FIXED[typ]
    if len(payload) < struct.calcsize(layout):
        raise Malformed("payload is short")
    fields = list(zip(names, struct.unpack_from(layout, payload)))
    more, names = ADDED.get(typ, ("", ()))
    if len(payload) >= struct.calcsize(layout) + struct.calcsize(more):
        fields += zip(names, struct.unpack_from(more, payload, struct.calcsize(layout)))
    return {k: v for k, v in fields if v != 0}


def shown(b):
    """Bytes as JSON members: text where it can be read, else hexadecimal, a digest when long."""
    if len(b) > SHOWN:
        return {"len": len(b), "sha256": hashlib.sha256(b).hexdigest()}
    if not b:
        return {}
    try:
        s = b.decode("utf-8")
        if all(c.isprintable() or c in "\r\n\t" for c in s):
            return {"text": s}
    except UnicodeDecodeError:
        pass
    return {"hex": b.hex()}


def payload_json(typ, payload):
    if typ in ELEMENTS or typ in FIXED:
        try:
            return {"fields": tlv_fields(payload, ELEMENTS[typ]) if typ in ELEMENTS else fixed_fields(typ, payload)}
        except (Malformed, Unreadable):
            return {"malformed": True, **shown(payload)}
    return shown(payload) if typ == DATA else {"hex": payload.hex()} if payload else {}


class Event:
    """One event; `json` is how it is printed."""

    def __init__(self, typ, flags, time, conn, tid, seq, cpu, direction, probe, payload):
        self.type, self.flags, self.time, self.conn, self.tid, self.seq = typ, flags, time, conn, tid, seq
        self.cpu, self.dir, self.probe, self.payload = cpu, direction, probe, payload
        self.offset = self.dur = 0

    @property
    def repeat(self):
        return bool(self.flags & REPEAT)

    def fields(self):
        return payload_json(self.type, self.payload).get("fields", {})

    def json(self):
        out = {"type": TYPES.get(self.type, str(self.type)), "seq": self.seq}
        for name in ("flags", "time", "conn", "tid", "cpu", "dir", "probe", "offset", "dur"):
            if getattr(self, name):
                out[name] = getattr(self, name)
        if self.repeat:
            out["repeat"] = True
        return {**out, **payload_json(self.type, self.payload)}


def nearest(near, low):
    """The value nearest to near whose low half is low."""
    base = (near & ~0xFFFFFFFF) | low
    return min((c for c in (base - (1 << 32), base, base + (1 << 32)) if 0 <= c < 1 << 64), key=lambda c: abs(c - near))


def with_options(body):
    """The payload of an event that has options."""
    if len(body) < 8:
        raise Malformed("options without a payload length")
    n = struct.unpack_from("<I", body)[0]
    if n > len(body) - 8:
        raise Malformed("payload is longer than its event")
    for typ, critical, _ in elements(body[8 + pad8(n):]):
        if critical:
            raise Unreadable("critical option %d is not known" % typ)
    return body[8:8 + n]


def event_at(log, at, near):
    """Returns the event at an offset of the log and the offset behind it. near is the seq of the event before."""
    left = len(log) - at
    if left < 32:
        raise Short("event header is cut")
    size, typ, hlen, flags, time, conn, tid, seq, cpu, direction, probe = struct.unpack_from("<IBBHQIIIHBB", log, at)
    if not 32 <= size <= MAX_EVENT:
        raise Malformed("event length")
    if pad8(size) > left:
        raise Short("event is cut")
    if hlen % 2 or not (12 if typ == DATA else 8) <= hlen <= size // 4:
        raise Malformed("event header length")
    payload = log[at + hlen * 4:at + size]
    if flags & OPTIONS:
        try:
            payload = with_options(payload)
        except Unreadable as e:
            e.end, e.seq = at + pad8(size), nearest(near, seq)
            raise
    most = MAX_DEFINITION if typ in (CONN, PROC, PROBE, SESSION, UNWATCHED) else MAX_PAYLOAD
    if len(payload) > most:
        raise Malformed("payload is too long")
    e = Event(typ, flags & ~OPTIONS, time, conn, tid, nearest(near, seq), cpu, direction, probe, payload)
    if typ == DATA:
        e.offset, e.dur = struct.unpack_from("<QI", log, at + 32)
    return e, at + pad8(size)
