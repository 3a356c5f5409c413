"""Frames of a session file: sections 2 to 5 and 10 of format/FORMAT.md, and what RFC 8878 says of zstd frames."""

import struct
import subprocess

OURS, SEEK, ZSTD = 0x184D2A53, 0x184D2A5E, 0xFD2FB528
OURS_BYTES = struct.pack("<I", OURS)
MUST_UNDERSTAND = 1 << 0
SIZE_LIMITS = {b"SPLI": 1 << 26, b"SPLS": 1 << 20}
SIZE_LIMIT = 1 << 16
UNKNOWN_LIMIT = 1 << 26
MAX_RAW = 67_108_864
MAX_COMP = MAX_RAW * 5 // 4 + 1024
MAX_WINDOW = 8 << 20


def table():
    out = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        out.append(n)
    return out


TABLE = table()


def crc32c(b):
    crc, t = 0xFFFFFFFF, TABLE
    for x in b:
        crc = t[(crc ^ x) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


class Frame:
    """An intact frame of ours."""

    def __init__(self, data, at, end):
        self.at, self.end, self.bytes = at, end, data[at:end]
        self.tag = self.bytes[8:12]
        self.fixed_len, self.flags = struct.unpack_from("<HH", self.bytes, 12)
        self.crc = struct.unpack_from("<I", self.bytes, len(self.bytes) - 4)[0]

    def u(self, fmt, at):
        return struct.unpack_from("<" + fmt, self.bytes, at)[0]

    def variable(self):
        return self.bytes[self.fixed_len:-4]

    def fits(self, fixed_len):
        """Whether the fixed fields of 1.0 are there."""
        return fixed_len <= self.fixed_len <= len(self.bytes) - 4


def limit_of(tag):
    return SIZE_LIMITS.get(tag, SIZE_LIMIT if tag in (b"SPLF", b"SPLC", b"SPLT") else UNKNOWN_LIMIT)


def magic(data, at):
    return struct.unpack_from("<I", data, at)[0] if at + 4 <= len(data) else None


def is_skippable(m):
    return m is not None and m & 0xFFFFFFF0 == 0x184D2A50


def frame_at(data, at):
    """Returns the intact frame of ours at an offset, or None."""
    if magic(data, at) != OURS or at + 20 > len(data):
        return None
    size = struct.unpack_from("<I", data, at + 4)[0]
    tag, end = data[at + 8:at + 12], at + 8 + size
    if size < 12 or size > limit_of(tag) or end > len(data) or not tag.startswith(b"SPL"):
        return None
    if crc32c(data[at:end - 4]) != struct.unpack_from("<I", data, end - 4)[0]:
        return None
    return Frame(data, at, end)


def search(data, at, wanted):
    """Returns the first offset from at on where an intact frame that is wanted stands, else the end of data."""
    while (at := data.find(OURS_BYTES, at)) >= 0:
        if data[at + 8:at + 12] in (b"SPLF", b"SPLC", b"SPLT") and (f := frame_at(data, at)) and wanted(f):
            return at
        at += 1
    return len(data)


class ZstdFrame:
    """What the header of a zstd frame says, and where the frame ends (None: beyond the data)."""

    def __init__(self, data, at):
        desc = data[at + 4]
        self.single, self.checksum, dict_flag = bool(desc & 0x20), bool(desc & 4), desc & 3
        p = at + 5
        window = None
        if not self.single:
            exponent, mantissa = data[p] >> 3, data[p] & 7
            window = (1 << 10 + exponent) + (1 << 10 + exponent) // 8 * mantissa
            p += 1
        dict_len = (0, 1, 2, 4)[dict_flag]
        self.dict = int.from_bytes(data[p:p + dict_len], "little")
        p += dict_len
        fcs_len = (1 if self.single else 0, 2, 4, 8)[desc >> 6]
        self.content = int.from_bytes(data[p:p + fcs_len], "little") + (256 if fcs_len == 2 else 0) if fcs_len else None
        self.window = self.content if self.single else window
        self.end = self.walk(data, p + fcs_len)

    def walk(self, data, p):
        while p + 3 <= len(data):
            block = int.from_bytes(data[p:p + 3], "little")
            kind, size = block >> 1 & 3, block >> 3
            if kind == 3:
                return None
            p += 3 + (1 if kind == 1 else size)
            if block & 1:
                p += 4 if self.checksum else 0
                return p if p <= len(data) else None
        return None


def zstd_at(data, at):
    """Returns the zstd frame at an offset, or None if there is none that ends within the data."""
    if magic(data, at) != ZSTD or at + 6 > len(data):
        return None
    try:
        f = ZstdFrame(data, at)
    except IndexError:
        return None
    return f if f.end is not None else None


def unzstd(frames):
    """Returns the content that the zstd command gives for the frames (as far as it comes) and whether it is whole."""
    p = subprocess.run(["zstd", "-dcq", "--no-sparse", "--memory=%d" % MAX_WINDOW], input=b"".join(frames),
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return p.stdout, p.returncode == 0


def unzstd_chunks(frames):
    """Returns the content of each (frame, length), None where it is not intact. One process, as long as all are."""
    out, ok = unzstd([f for f, _ in frames]) if frames else (b"", True)
    if ok and len(out) == sum(n for _, n in frames):
        contents, at = [], 0
        for _, n in frames:
            contents.append(out[at:at + n])
            at += n
        return contents
    contents = []
    for f, n in frames:
        out, ok = unzstd([f])
        contents.append(out if ok and len(out) == n else None)
    return contents
