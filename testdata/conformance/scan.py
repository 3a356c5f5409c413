"""Walks the parts of a session file from its start: sections 2, 4, 5, 8, 10 of format/FORMAT.md."""

import frames as fr

MAJOR, MINOR = 1, 0
MEMBER = 1 << 1


class Section:
    """A section whose file header was read, or (head None) lost."""

    def __init__(self, head=None, at=0):
        self.head, self.at = head, head.at if head else at
        self.crc = head.crc if head else None
        self.refused = None
        self.next_chunk = 0
        self.chunks = []
        self.index = self.summary = self.trailer = None
        if not head:
            self.first_seq = self.clock_ns = self.file_no = self.flags = 0
            self.uuid = None
            return
        self.version = tuple(head.bytes[16:19])
        if self.version[0] > MAJOR:
            self.refused = "major %d" % self.version[0]
        elif self.version[0] == MAJOR and self.version[2] > MINOR:
            self.refused = "minor %d" % self.version[2]
        else:
            self.flags, self.uuid = head.u("I", 20), head.bytes[24:40]
            self.clock_ns, self.file_no, self.first_seq = head.u("Q", 48), head.u("I", 56), head.u("Q", 64)


class Chunk:
    """A chunk header, and where its zstd frame is."""

    def __init__(self, f, section):
        self.at, self.body, self.section = f.at, f.end, section
        self.no, self.comp_len, self.raw_len, self.n_events = (f.u("I", at) for at in (16, 20, 24, 28))
        self.first_seq, self.min_time, self.max_time = (f.u("Q", at) for at in (32, 40, 48))
        self.min_pid, self.max_pid, self.mask, self.crc = f.u("I", 56), f.u("I", 60), f.u("Q", 64), f.u("I", 72)
        self.lost, self.n_conns = f.u("I", 76), f.u("I", 80)
        self.filter_kind, filter_len, pids_len = (f.u("H", at) for at in (84, 86, 88))
        self.prev_span, self.crc_section = f.u("I", 92), f.u("I", 96)
        self.end = self.body + self.comp_len
        self.head = f.bytes[16:104]
        var = f.variable()
        fits = filter_len + pids_len <= len(var)
        self.conns = id_set(var[:filter_len]) if fits and self.filter_kind == 1 else None
        self.pids = id_set(var[filter_len:filter_len + pids_len]) if fits and pids_len else None
        self.intact = True


def id_set(b):
    """Returns the ranges of a set of ids, or None: it may hold any."""
    ranges, at, low = [], 0, 0
    while at < len(b):
        v, at = leb128(b, at)
        if v is None:
            return None
        low += v >> 1
        high = low
        if v & 1:
            more, at = leb128(b, at)
            if more is None:
                return None
            high = low + more + 1
        if high >= 1 << 32:
            return None
        ranges.append([low, high])
        low = high + 1
    return ranges


def leb128(b, at):
    v = shift = 0
    while at < len(b) and shift < 64:
        v |= (b[at] & 0x7F) << shift
        shift += 7
        at += 1
        if b[at - 1] < 0x80:
            return v, at
    return None, at


class Scan:
    """The parts of a file in order: `sections` with their chunks, and `damage`."""

    def __init__(self, data):
        self.data, self.sections, self.damage = data, [], []
        self.section = None
        self.walk()

    def tell(self, kind, at, size, **more):
        self.damage.append({"kind": kind, "offset": at, "size": size, **more})

    def open(self, section):
        self.section = section
        self.sections.append(section)

    def walk(self):
        at = 0
        while at < len(self.data):
            at = self.part(at)

    def part(self, at):
        """Reads what stands at an offset and returns where the next part is expected."""
        data, m = self.data, fr.magic(self.data, at)
        if m != fr.OURS and fr.is_skippable(m) and at + 8 <= len(data):
            end = at + 8 + int.from_bytes(data[at + 4:at + 8], "little")
            return end if end <= len(data) else self.lost(at, at, "torn")
        if m == fr.ZSTD:
            z = fr.zstd_at(data, at)
            if self.section and self.section.refused and z:
                return z.end
            return self.lost(at, z.end if z else at, "frame without header")
        f = fr.frame_at(data, at)
        if not f:
            return self.lost(at, at, "header")
        if f.tag == b"SPLF":
            return self.file_header(f)
        if self.section and self.section.refused:
            return f.end
        if f.tag == b"SPLC":
            return self.chunk(f)
        if f.tag == b"SPLT":
            return self.trailer(f)
        if f.tag in (b"SPLI", b"SPLS"):
            if self.section:
                setattr(self.section, "index" if f.tag == b"SPLI" else "summary", f)
            return f.end
        if f.flags & fr.MUST_UNDERSTAND:
            self.refuse("tag %s" % f.tag.decode("latin-1"), f.at)
        return f.end

    def refuse(self, why, at):
        if not self.section:
            self.open(Section(at=at))
        self.section.refused = why
        self.tell("refused", at, 0, needs=why)

    def lost(self, at, search_from, kind):
        """Rules 1, 3 and 6: goes on at the next header, names what is in between."""
        wanted = lambda f: f.tag == b"SPLF" or not (self.section and self.section.refused)
        to = fr.search(self.data, max(search_from, at + 1), wanted)
        self.tell("torn" if to == len(self.data) else kind, at, to - at)
        return to

    def file_header(self, f):
        s = Section(f)
        if not s.refused and not f.fits(80):
            return self.lost(f.at, f.at, "header")
        before = self.section
        self.open(s)
        if s.refused:
            self.tell("refused", f.at, 0, needs=s.refused)
        elif before and before.uuid == s.uuid and s.flags & MEMBER and s.file_no > before.file_no + 1:
            self.tell("file missing", f.at, 0, missing=s.file_no - before.file_no - 1)
        return f.end

    def chunk(self, f):
        if not f.fits(104):
            return self.lost(f.at, f.at, "header")
        c = Chunk(f, self.section)
        if c.raw_len > fr.MAX_RAW or c.comp_len > fr.MAX_COMP:
            return self.lost(f.at, f.at, "header")
        s = self.section
        if not s or c.no < s.next_chunk or s.crc is not None and c.crc_section != s.crc \
                or s.crc is None and s.chunks and s.chunks[-1].crc_section != c.crc_section:
            s = c.section = Section(at=f.at)
            self.open(s)
            self.tell("file header missing", f.at, 0)
        if c.no > s.next_chunk:
            self.tell("chunks missing", f.at, 0, missing=c.no - s.next_chunk)
        s.next_chunk = c.no + 1
        s.chunks.append(c)
        return self.body(c)

    def body(self, c):
        """Checks the zstd frame behind a chunk header: rules 2 and 3."""
        data = self.data
        if c.end <= len(data) and fr.crc32c(data[c.body:c.end]) == c.crc:
            return c.end
        c.intact = False
        if c.end == len(data) or c.end < len(data) and fr.frame_at(data, c.end):
            self.tell("chunk", c.at, c.end - c.at)
            return c.end
        to = fr.search(data, c.body, lambda f: f.at >= c.end or
                       f.tag == b"SPLC" and f.fits(104) and f.u("I", 96) == c.crc_section)
        self.tell("torn" if c.end > len(data) and to == len(data) else "chunk", c.at, to - c.at)
        return to

    def trailer(self, f):
        if not f.fits(112):
            return self.lost(f.at, f.at, "header")
        s = self.section
        if s:
            s.trailer = f
            if f.u("I", 88) > s.next_chunk:
                self.tell("chunks missing", f.at, 0, missing=f.u("I", 88) - s.next_chunk)
        return f.end
