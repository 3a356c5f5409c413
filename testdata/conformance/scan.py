"""Walks the parts of a session file from its start: sections 2, 4, 5, 8, 10 of format/FORMAT.md."""

import frames as fr

MAJOR, MINOR = 1, 1
MEMBER = 1 << 1
MAX_STRANGERS = 128 << 10


class Section:
    """A section whose file header was read, or (head None) lost."""

    def __init__(self, head=None, at=0):
        self.head, self.at = head, head.at if head else at
        self.crc = head.crc if head else None
        self.refused = None
        self.next_chunk = 0
        self.chunks = []
        self.summary = self.trailer = None
        self.footer = {}  # tag -> offset of the frames of the footer, up to the trailer
        self.first_seq = self.clock_ns = self.file_no = self.flags = 0
        self.uuid = None
        if not head:
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
        self.hurt = False     # damage was told since the last intact chunk
        self.refusal = None   # the damage that a refused section is
        self.walk()

    def tell(self, kind, at, size):
        self.hurt = True
        self.damage.append({"kind": kind, "offset": at, "size": size})

    def missing(self, at):
        """Says that something is not there, unless damage just before explains it."""
        if not self.hurt:
            self.tell("missing", at, 0)

    def close(self, at):
        """Rule 7, at the end of a section: a footer without a trailer."""
        s = self.section
        if s and s.footer:
            s.footer = {}
            self.missing(at)

    def open(self, section):
        if self.refusal:
            self.refusal["size"] = section.at - self.refusal["offset"]
        self.refusal = None
        self.section = section
        self.sections.append(section)

    def walk(self):
        at = 0
        while at < len(self.data):
            at = self.part(at)
        self.close(at)
        if self.refusal:
            self.refusal["size"] = at - self.refusal["offset"]

    def part(self, at):
        """Reads what stands at an offset and returns where the next part is expected."""
        data, m, left = self.data, fr.magic(self.data, at), len(self.data) - at
        if left < 8:
            return self.lost(at, "torn")
        if fr.is_skippable(m):
            end = at + 8 + int.from_bytes(data[at + 4:at + 8], "little")
            if m != fr.OURS:
                if end > len(data):
                    self.tell("torn", at, left)
                return min(end, len(data))
            f = fr.frame_at(data, at)
            if f:
                return self.frame(f)
            tag = data[at + 8:at + 12]
            ours = tag.startswith(b"SPL") and end <= at + 8 + fr.limit_of(tag)
            return self.lost(at, "torn" if left < 16 or ours and end > len(data) else "corrupt")
        if m == fr.ZSTD and self.section and self.section.refused and (z := fr.zstd_at(data, at)):
            return z.end
        return self.lost(at, "corrupt")

    def frame(self, f):
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
                self.section.footer[f.tag] = f.at
                self.section.summary = f if f.tag == b"SPLS" else self.section.summary
            return f.end
        if f.flags & fr.MUST_UNDERSTAND:
            self.refuse(f.at)
        return f.end

    def refuse(self, at):
        if not self.section:
            self.open(Section(at=at))
        self.section.refused = True
        self.tell("version", at, 0)
        self.refusal = self.damage[-1]

    def lost(self, at, kind):
        """Rules 1, 3 and 6: goes on at the next header, names what is in between."""
        if self.section and self.section.refused:
            return len(self.data)  # nobody knows where the next section begins
        to = self.goes_on(at, fr.search(self.data, at + 1, self.counts))
        self.tell("corrupt" if to < len(self.data) else kind, at, to - at)
        return to

    def counts(self, f):
        return f.tag != b"SPLT" or self.ends(f)

    def ends(self, f):
        """Tells whether a trailer is that of this section."""
        s = self.section
        return bool(s and s.head and f.tag == b"SPLT" and f.fits(112) and f.u("I", 96) == s.crc and f.u("Q", 16) == f.at - s.at)

    def goes_on(self, lost_at, to):
        """Rule 1: a file header that was found may be plaintext inside the chunk that is lost."""
        s, f = self.section, to < len(self.data) and fr.frame_at(self.data, to)
        if not f or f.tag != b"SPLF" or not s or not s.head:
            return to
        limit = to + 2 * min(s.head.u("I", 60), fr.MAX_RAW) + (16 << 20) + (128 << 10)
        proof = fr.search(self.data[:limit], f.end, lambda f: self.ends(f) or f.tag == b"SPLC" and f.fits(104)
                          and f.u("I", 96) == s.crc and f.at - f.u("I", 92) == lost_at)
        return proof if proof < min(limit, len(self.data)) else to

    def file_header(self, f):
        s = Section(f)
        if not s.refused and not f.fits(80):
            return self.lost(f.at, "corrupt")
        before = self.section
        self.close(f.at)
        self.open(s)
        if s.refused:
            self.refuse(f.at)
        elif before and before.uuid == s.uuid and s.flags & MEMBER and s.file_no > before.file_no + 1:
            self.tell("missing", f.at, 0)
        if not s.refused:
            self.hurt = False
        return f.end

    def chunk(self, f):
        if not f.fits(104):
            return self.lost(f.at, "corrupt")
        c = Chunk(f, self.section)
        if c.raw_len > fr.MAX_RAW or c.comp_len > fr.MAX_COMP:
            end = min(c.end, len(self.data))
            self.tell("limit", c.at, end - c.at)
            return end
        data = self.data
        if c.end <= len(data) and fr.crc32c(data[c.body:c.end]) == c.crc:
            self.place(c)
            return c.end
        behind = self.strangers(c.end)
        if behind == len(data) or behind < len(data) and fr.frame_at(data, behind):
            self.tell("corrupt", c.at, c.end - c.at)
            return c.end
        mine = self.section.crc if self.section else None
        to = fr.search(data, c.body, lambda f: self.ends(f) or f.tag != b"SPLT" and (
            f.at >= c.end or f.tag == b"SPLC" and f.fits(104) and f.u("I", 96) == mine))
        to = self.goes_on(c.at, to)
        self.tell("torn" if c.end > len(data) and to == len(data) else "corrupt", c.at, to - c.at)
        return to

    def strangers(self, at):
        """Steps over skippable frames of others, 128 KiB of them at most."""
        data, end = self.data, at
        while end + 8 <= len(data) and (m := fr.magic(data, end)) != fr.OURS and fr.is_skippable(m):
            end += 8 + int.from_bytes(data[end + 4:end + 8], "little")
            if end - at > MAX_STRANGERS:
                return at
        return end

    def place(self, c):
        """Finds the section of an intact chunk and what is missing before it: rule 5."""
        s = self.section
        if not s or c.crc_section != s.crc or c.no < s.next_chunk:
            self.missing(c.at)
            # The same section again (cat a a): then its file header is known.
            same = s and c.crc_section == s.crc
            s = c.section = Section(s.head if same else None)
            s.at, s.crc = c.at, c.crc_section
            self.open(s)
        elif c.no > s.next_chunk:
            self.missing(c.at)
        s.next_chunk = c.no + 1
        s.chunks.append(c)
        self.hurt = False

    def trailer(self, f):
        if not f.fits(112):
            return self.lost(f.at, "corrupt")
        s = self.section
        if s and s.crc == f.u("I", 96):
            s.trailer = f
            if f.u("I", 88) > s.next_chunk:
                self.missing(f.at)
            for tag, back in ((b"SPLI", f.u("Q", 24)), (b"SPLS", f.u("Q", 32))):
                if back and s.footer.get(tag) != f.at - back:
                    self.missing(f.at)
        if s:
            s.footer = {}
        seek = f.u("I", 100)
        return self.seek_table(f.end, seek, f.u("I", 104)) if seek else f.end

    def seek_table(self, at, size, crc):
        """Steps over the seek table that a trailer speaks of."""
        data, left = self.data, len(self.data) - at
        if (f := fr.frame_at(data, at)) and f.tag == b"SPLF":
            self.tell("missing", at, 0)
            return at
        if 0 < left < 8 or left and (fr.magic(data, at) != fr.SEEK or int.from_bytes(data[at + 4:at + 8], "little") + 8 != size):
            return self.lost(at, "corrupt")
        end = min(at + size, len(data))
        if left < size:
            self.tell("torn", at, left)
        elif fr.crc32c(data[at:end]) != crc:
            self.tell("corrupt", at, size)
        return end
