#!/usr/bin/env python3
"""A second reader of session files, written from format/FORMAT.md alone: python3 and the zstd command.

    reader.py [-i IDENTITY] [--chunks | --index] FILE...

prints one JSON line for each event, then one for each damage. With --chunks it prints what a scan finds for the
footer to say, with --index what the footer says; the two agree for every file whose footer tells the truth.
Before the lines of a file stands {"file": NAME} if several are named.
"""

import json
import subprocess
import sys

import events as ev
import footer
import frames as fr
from scan import MEMBER, Scan


def first_frame_is_zstd(data):
    """Whether the first frame, skippable frames of others aside, is a zstd frame: the file is bare."""
    at = 0
    while (m := fr.magic(data, at)) is not None and m != fr.OURS and fr.is_skippable(m):
        at += 8 + int.from_bytes(data[at + 4:at + 8], "little")
    return m == fr.ZSTD


class Reader:
    """Events and damage of one file."""

    def __init__(self, data):
        self.data, self.events, self.damage = data, [], []
        self.scan = None

    def read(self):
        if first_frame_is_zstd(self.data):
            self.read_bare()
            return
        self.scan = Scan(self.data)
        self.damage = self.scan.damage
        chunks = [c for s in self.scan.sections for c in s.chunks]
        good = [c for c in chunks if self.is_frame(c)]
        contents = fr.unzstd_chunks([(self.data[c.body:c.end], c.raw_len) for c in good])
        logs = dict(zip((c.at for c in good), contents))
        for s in self.scan.sections:
            self.read_section(s, logs)
        if not self.events and not any(s.head for s in self.scan.sections):
            raise ev.Unreadable("not a session")
        self.damage.sort(key=lambda d: d["offset"])

    def is_frame(self, c):
        """Whether exactly one zstd frame as section 5 wants it follows the chunk header."""
        z = fr.zstd_at(self.data[:c.end], c.body)
        return bool(z and z.end == c.end and z.content == c.raw_len and z.checksum and not z.dict
                    and z.window <= fr.MAX_WINDOW)

    def read_section(self, s, logs):
        named = False
        for c in s.chunks:
            log = logs.get(c.at)
            if log is None:
                self.damage.append({"kind": "corrupt", "offset": c.at, "size": c.end - c.at})
                continue
            found = self.read_chunk(c, log)
            if not named and (not found or found[0].type != ev.SESSION):
                self.events.append(self.made(s))
            named = True
            self.events += found
        if not named and s.head and not s.refused:
            self.events.append(self.made(s))

    def read_chunk(self, c, log):
        found, at, near, passed = [], 0, c.first_seq, 0
        try:
            while at < len(log):
                try:
                    e, at = ev.event_at(log, at, near)
                    found.append(e)
                    near = e.seq
                except ev.Unreadable as x:
                    self.damage.append({"kind": "version", "offset": c.at, "size": c.end - c.at})
                    at, near, passed = x.end, x.seq, passed + 1
            if len(found) + passed != c.n_events:
                raise ev.Malformed("another number of events")
        except ev.Malformed:
            self.damage.append({"kind": "corrupt", "offset": c.at, "size": c.end - c.at})
        return found

    def made(self, s):
        """The SESSION event of a section whose own was lost: section 4."""
        if not s.head:
            return ev.Event(ev.SESSION, 0, 0, 0, 0, 0, 0, 0, 0, b"")
        flags = ev.REPEAT if s.file_no else 0
        return ev.Event(ev.SESSION, flags, s.clock_ns, 0, 0, s.first_seq, 0, 0, 0, s.head.variable())

    def read_bare(self):
        """Section 11: the content of all zstd frames is the log."""
        at, kind = 0, None
        while at < len(self.data) and not kind:
            m = fr.magic(self.data, at)
            if fr.is_skippable(m):
                at += 8 + int.from_bytes(self.data[at + 4:at + 8], "little")
            elif (z := fr.zstd_at(self.data, at)) and z.window <= fr.MAX_WINDOW:
                at = z.end
            else:
                kind = "corrupt" if z else "torn"
        log, ok = fr.unzstd([self.data])
        pos, near = 0, 0
        try:
            while pos < len(log):
                e, pos = ev.event_at(log, pos, near)
                self.events.append(e)
                near = e.seq
        except ev.Short:
            kind = kind or "torn"
        except (ev.Malformed, ev.Unreadable):
            kind = "corrupt"
        if kind or not ok:
            self.damage.append({"kind": kind or "corrupt"})
        if not self.events or self.events[0].type != ev.SESSION:
            raise ev.Unreadable("not a session")


def plain(name, identity):
    """The bytes of a session, decrypted by the age command; None if that cannot be."""
    with open(name, "rb") as f:
        data = f.read()
    if not data.startswith(b"age-encryption.org/"):
        return data, None
    if not identity:
        return None, "no identity"
    try:
        p = subprocess.run(["age", "-d", "-i", identity], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           check=False)
    except FileNotFoundError:
        return None, "no age command"
    return p.stdout, None if p.returncode == 0 else "encryption"


def lines_of(name, identity, mode):
    data, trouble = plain(name, identity)
    if data is None:
        return [{"skipped": trouble}]
    if mode == "--index":
        return footer.from_tail(data)
    r = Reader(data)
    try:
        r.read()
    except ev.Unreadable as e:
        return [{"error": str(e)}]
    if mode == "--chunks":
        return footer.from_scan(r)
    if trouble:
        r.damage.append({"kind": trouble, "offset": len(data), "size": 0})
    return [e.json() for e in r.events] + [{"damage": d} for d in r.damage]


def main(args):
    identity, mode, files = None, "--events", []
    while args:
        a = args.pop(0)
        if a == "-i":
            identity = args.pop(0)
        elif a in ("--index", "--chunks"):
            mode = a
        else:
            files.append(a)
    for name in files:
        if len(files) > 1:
            print(json.dumps({"file": name}))
        for line in lines_of(name, identity, mode):
            print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    main(sys.argv[1:])
