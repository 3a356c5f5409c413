package content

import (
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// Class is a broad kind of file.
type Class string

// Classes of [Signature].
const (
	Image      Class = "Image"
	Video      Class = "Video"
	Audio      Class = "Audio"
	Archive    Class = "Archive"
	Document   Class = "Document"
	Font       Class = "Font"
	Executable Class = "Executable"
	Database   Class = "Database"
	Container  Class = "Container"
)

// Signature is what a file's bytes say it is.
type Signature struct {
	Name  string // "PNG image"; "" if not known
	Class Class
	MIME  string
}

// sniffMax is the most bytes looked at. No signature used here lies deeper.
const sniffMax = 3072

// Sniff tells what b, the beginning of a body without its codings, is. Plain
// text, JSON and the like have no signature and are not told; see [IsText].
//
// Containers come first, then fixed marks, then what the mimetype library
// knows. Marks of two or three bytes are believed only with a second look: one
// random body in 65,536 begins with any of them.
func Sniff(b []byte) Signature {
	b = b[:min(len(b), sniffMax)]
	for _, find := range [...]func([]byte) Signature{isoMedia, riff, tarball, marked, short, library} {
		if s := find(b); s.Name != "" {
			return s
		}
	}
	return Signature{}
}

// isoMedia reads the ftyp box of an ISO base media file (ISO/IEC 14496-12 §4.3).
func isoMedia(b []byte) Signature {
	if len(b) < 12 || string(b[4:8]) != "ftyp" {
		return Signature{}
	}
	// The major brand decides. Compatible brands behind it are what else could
	// play the file, not what it is.
	brand := string(b[8:12])
	switch brand {
	case "avif", "avis":
		return Signature{"AVIF image", Image, "image/avif"}
	case "heic", "heix", "hevc", "hevx":
		return Signature{"HEIC image", Image, "image/heic"}
	case "mif1", "msf1":
		return Signature{"HEIF image", Image, "image/heif"}
	case "isom", "iso2", "iso4", "iso5", "iso6", "mp41", "mp42", "mp71", "avc1":
		return Signature{"MP4 video", Video, "video/mp4"}
	case "M4V ", "M4VH", "M4VP":
		return Signature{"M4V video", Video, "video/x-m4v"}
	case "M4A ":
		return Signature{"M4A audio", Audio, "audio/mp4"}
	case "M4B ":
		return Signature{"M4B audiobook", Audio, "audio/mp4"}
	case "qt  ":
		return Signature{"QuickTime video", Video, "video/quicktime"}
	case "dash":
		return Signature{"MPEG-DASH segment", Video, "video/iso.segment"}
	case "jp2 ":
		return Signature{"JPEG 2000 image", Image, "image/jp2"}
	case "crx ":
		return Signature{"Canon raw image", Image, "image/x-canon-cr3"}
	}
	if strings.HasPrefix(brand, "3gp") || strings.HasPrefix(brand, "3g2") {
		return Signature{"3GPP video", Video, "video/3gpp"}
	}
	return Signature{"ISO media", Container, "application/mp4"}
}

// riff reads the form type of a RIFF file, which stands behind its length.
func riff(b []byte) Signature {
	if len(b) < 12 || string(b[:4]) != "RIFF" {
		return Signature{}
	}
	switch string(b[8:12]) {
	case "WEBP":
		return Signature{"WebP image", Image, "image/webp"}
	case "WAVE":
		return Signature{"WAV audio", Audio, "audio/wav"}
	case "AVI ":
		return Signature{"AVI video", Video, "video/x-msvideo"}
	}
	return Signature{"RIFF container", Container, "application/octet-stream"}
}

// tarball looks for the magic of POSIX and of GNU tar, which stands within
// the first member's header; archives older than both have none.
func tarball(b []byte) Signature {
	const at = 257
	if len(b) >= at+8 && (string(b[at:at+6]) == "ustar\x00" || string(b[at:at+8]) == "ustar  \x00") {
		return Signature{"TAR archive", Archive, "application/x-tar"}
	}
	return Signature{}
}

// marked looks for the marks that stand at the beginning and are long enough.
func marked(b []byte) Signature {
	for i := range marks {
		if m := &marks[i]; len(b) >= len(m.mark) && string(b[:len(m.mark)]) == m.mark {
			return m.Signature
		}
	}
	return Signature{}
}

// short looks for marks of two or three bytes, and checks what follows them.
func short(b []byte) Signature {
	if len(b) < 4 {
		return Signature{}
	}
	le32 := func(at int) uint32 {
		return uint32(b[at]) | uint32(b[at+1])<<8 | uint32(b[at+2])<<16 | uint32(b[at+3])<<24
	}
	switch {
	// Each case names what else must hold before the mark is believed.
	case b[0] == 0xff && b[1] == 0xd8 && b[2] == 0xff && b[3] >= 0xc0 && b[3] != 0xff:
		return Signature{"JPEG image", Image, "image/jpeg"}
	case b[0] == 0x1f && b[1] == 0x8b && b[2] == 8 && b[3]&0xe0 == 0: // deflate; reserved flags are 0
		return Signature{"gzip archive", Archive, "application/gzip"}
	case b[0] == 'B' && b[1] == 'Z' && b[2] == 'h' && b[3] >= '1' && b[3] <= '9' && len(b) >= 10 &&
		(string(b[4:10]) == "1AY&SY" || string(b[4:10]) == "\x17\x72\x45\x38\x50\x90"):
		return Signature{"bzip2 archive", Archive, "application/x-bzip2"}
	case b[0] == 'B' && b[1] == 'M' && len(b) >= 26 && le32(6) == 0 && bitmapHeader(le32(14)) && le32(10) >= 26:
		return Signature{"BMP image", Image, "image/bmp"}
	case b[0] == 0xff && b[1]&0xe0 == 0xe0:
		return mpegAudio(b)
	case string(b[:3]) == "ID3" && b[3] >= 2 && b[3] <= 4:
		return Signature{"MP3 audio", Audio, "audio/mpeg"}
	case string(b[:4]) == "%!PS":
		return Signature{"PostScript document", Document, "application/postscript"}
	case b[0] == 0 && b[1] == 0 && (b[2] == 1 || b[2] == 2) && b[3] == 0:
		return icon(b)
	case b[0] == 'M' && b[1] == 'Z' && len(b) >= 64:
		if at := le32(60); at >= 64 && uint64(at)+4 <= uint64(len(b)) && string(b[at:at+4]) == "PE\x00\x00" {
			return Signature{"Windows executable", Executable, "application/vnd.microsoft.portable-executable"}
		}
	}
	return Signature{}
}

// bitmapHeader reports whether n is the size of a known BMP information header.
func bitmapHeader(n uint32) bool {
	switch n {
	case 12, 40, 52, 56, 64, 108, 124:
		return true
	}
	return false
}

// mpegAudio checks an MPEG audio or ADTS frame header field by field: its
// mark is eleven bits.
func mpegAudio(b []byte) Signature {
	version, layer := b[1]>>3&3, b[1]>>1&3
	bitrate, rate := b[2]>>4, b[2]>>2&3
	switch {
	case layer == 0 && b[1]&0xf0 == 0xf0 && b[2]>>2&15 <= 12 && len(b) >= 7:
		// ADTS states its length, which must at least hold its header.
		if n := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5; n >= 7 {
			return Signature{"AAC audio", Audio, "audio/aac"}
		}
	case layer == 1 && version != 1 && bitrate > 0 && bitrate < 15 && rate < 3:
		return Signature{"MP3 audio", Audio, "audio/mpeg"}
	}
	return Signature{}
}

// icon checks the directory of an ICO or CUR file: a count, and a first entry
// whose reserved byte is 0 and whose image lies behind the directory.
func icon(b []byte) Signature {
	if len(b) < 22 {
		return Signature{}
	}
	// Little endian, as all of the directory is.
	count := int(b[4]) | int(b[5])<<8
	at := int(b[18]) | int(b[19])<<8 | int(b[20])<<16
	if count == 0 || count > 256 || b[9] != 0 || at < 6+16*count {
		return Signature{}
	}
	if b[2] == 1 {
		return Signature{"ICO image", Image, "image/x-icon"}
	}
	return Signature{"CUR image", Image, "image/x-icon"}
}

// library asks mimetype, and names what it says in the same manner.
func library(b []byte) Signature {
	if len(b) == 0 {
		return Signature{}
	}
	// The library also guesses kinds of text, and knows short marks; libraryClass
	// lets through only what a signature stands behind.
	found := mimetype.Detect(b)
	kind, _, _ := strings.Cut(found.String(), ";")
	ext := strings.ToUpper(strings.TrimPrefix(found.Extension(), "."))
	top, _, _ := strings.Cut(kind, "/")
	switch {
	case kind == "application/zip":
		return Signature{"ZIP archive", Archive, kind}
	case top == "application" && strings.HasPrefix(string(b), "\x1a\x45\xdf\xa3"):
		return Signature{"Matroska container", Container, "application/x-matroska"}
	}
	switch class := libraryClass(kind, top); class {
	case "":
		return Signature{}
	case Document:
		return Signature{ext + " document", class, kind}
	case Database, Executable, Archive, Container:
		return Signature{ext + " file", class, kind}
	default:
		return Signature{ext + " " + top, class, kind}
	}
}

// libraryClass sorts MIME types; "" for those that no signature stands behind.
func libraryClass(kind, top string) Class {
	switch kind {
	case "image/x-icon", "image/bmp", "image/jpeg", "audio/mpeg", "audio/aac":
		return "" // short marks, which short has looked at more closely
	}
	switch top {
	case "image":
		return Image
	case "video":
		return Video
	case "audio":
		return Audio
	case "font":
		return Font
	}
	switch kind {
	case "text/html", "application/epub+zip", "application/msword", "application/x-ole-storage":
		return Document
	case "application/x-elf", "application/x-executable", "application/x-sharedlib",
		"application/x-mach-binary",
		"application/jar", "application/java-archive", "application/vnd.android.package-archive":
		return Executable
	case "application/x-msaccess", "application/vnd.apache.parquet", "application/x-dbf":
		return Database
	case "application/ogg", "application/vnd.rn-realmedia-vbr", "application/vnd.tcpdump.pcap", "application/x-ole":
		return Container
	case "application/x-unix-archive", "application/x-archive", "application/vnd.rar", "application/x-installshield",
		"application/x-rpm", "application/vnd.debian.binary-package", "application/cab", "application/x-cpio", "application/lzip":
		return Archive
	}
	if strings.HasPrefix(kind, "application/vnd.openxmlformats-") || strings.HasPrefix(kind, "application/vnd.oasis.") ||
		strings.HasPrefix(kind, "application/vnd.ms-") || strings.HasPrefix(kind, "application/vnd.visio") {
		return Document
	}
	return ""
}
