package content

// mark is a signature that stands at the very beginning of a file.
type mark struct {
	mark string
	Signature
}

// marks are long enough to be believed alone. A mark that begins with another
// comes before it. The array is read only.
var marks = [...]mark{
	{"\x89PNG\r\n\x1a\n", Signature{"PNG image", Image, "image/png"}},
	{"GIF87a", Signature{"GIF image", Image, "image/gif"}},
	{"GIF89a", Signature{"GIF image", Image, "image/gif"}},
	// TIFF says its byte order first, so it has two marks.
	{"II*\x00", Signature{"TIFF image", Image, "image/tiff"}},
	{"MM\x00*", Signature{"TIFF image", Image, "image/tiff"}},
	{"8BPS\x00", Signature{"Photoshop image", Image, "image/vnd.adobe.photoshop"}},
	{"\x00\x00\x00\x0cJXL \r\n\x87\n", Signature{"JPEG XL image", Image, "image/jxl"}},
	{"\x00\x00\x00\x0cjP  \r\n\x87\n", Signature{"JPEG 2000 image", Image, "image/jp2"}},
	{"qoif", Signature{"QOI image", Image, "image/qoi"}},

	{"FLV\x01", Signature{"FLV video", Video, "video/x-flv"}},
	{"\x00\x00\x01\xba", Signature{"MPEG program stream", Video, "video/mpeg"}},
	{"\x00\x00\x01\xb3", Signature{"MPEG video", Video, "video/mpeg"}},
	{"fLaC", Signature{"FLAC audio", Audio, "audio/flac"}},
	{"OggS\x00", Signature{"Ogg media", Audio, "audio/ogg"}},
	{"MThd\x00\x00\x00\x06", Signature{"MIDI audio", Audio, "audio/midi"}},
	{"#!AMR", Signature{"AMR audio", Audio, "audio/amr"}},

	{"Rar!\x1a\x07\x01\x00", Signature{"RAR5 archive", Archive, "application/vnd.rar"}},
	{"Rar!\x1a\x07\x00", Signature{"RAR archive", Archive, "application/vnd.rar"}},
	{"7z\xbc\xaf\x27\x1c", Signature{"7z archive", Archive, "application/x-7z-compressed"}},
	{"\xfd7zXZ\x00", Signature{"XZ archive", Archive, "application/x-xz"}},
	// An archive that is empty, and one that is split; the usual mark, PK\x03\x04,
	// begins many formats and is left to the library.
	{"PK\x05\x06", Signature{"ZIP archive", Archive, "application/zip"}},
	{"PK\x07\x08", Signature{"ZIP archive", Archive, "application/zip"}},
	{"\x28\xb5\x2f\xfd", Signature{"Zstandard archive", Archive, "application/zstd"}},
	{"\x04\x22\x4d\x18", Signature{"LZ4 archive", Archive, "application/x-lz4"}},
	{"MSCF\x00\x00\x00\x00", Signature{"Cabinet archive", Archive, "application/vnd.ms-cab-compressed"}},
	{"!<arch>\ndebian-binary", Signature{"Debian package", Archive, "application/vnd.debian.binary-package"}},
	{"!<arch>\n", Signature{"Unix archive", Archive, "application/x-archive"}},
	{"\xed\xab\xee\xdb", Signature{"RPM package", Archive, "application/x-rpm"}},
	{"Cr24", Signature{"Chrome extension", Archive, "application/x-chrome-extension"}},

	{"%PDF-", Signature{"PDF document", Document, "application/pdf"}},
	{"{\\rtf", Signature{"RTF document", Document, "application/rtf"}},
	{"<?xml", Signature{"XML document", Document, "application/xml"}},
	{"\xef\xbb\xbf<?xml", Signature{"XML document", Document, "application/xml"}},
	{"-----BEGIN ", Signature{"PEM document", Document, "application/x-pem-file"}},
	{"d8:announce", Signature{"BitTorrent document", Document, "application/x-bittorrent"}},

	{"wOF2", Signature{"WOFF2 font", Font, "font/woff2"}},
	{"wOFF", Signature{"WOFF font", Font, "font/woff"}},
	{"OTTO", Signature{"OpenType font", Font, "font/otf"}},
	{"ttcf\x00", Signature{"TrueType collection", Font, "font/collection"}},
	{"\x00\x01\x00\x00\x00", Signature{"TrueType font", Font, "font/ttf"}},

	{"\x00asm\x01\x00\x00\x00", Signature{"WebAssembly module", Executable, "application/wasm"}},
	{"\x7fELF", Signature{"ELF executable", Executable, "application/x-elf"}},
	{"\xfe\xed\xfa\xce", Signature{"Mach-O executable", Executable, "application/x-mach-binary"}},
	{"\xfe\xed\xfa\xcf", Signature{"Mach-O executable", Executable, "application/x-mach-binary"}},
	{"\xce\xfa\xed\xfe", Signature{"Mach-O executable", Executable, "application/x-mach-binary"}},
	{"\xcf\xfa\xed\xfe", Signature{"Mach-O executable", Executable, "application/x-mach-binary"}},
	// Universal binaries and Java classes share a mark. What follows is a count
	// of one or two here, and a version of 45 or more there.
	{"\xca\xfe\xba\xbe\x00\x00\x00\x01", Signature{"Mach-O universal executable", Executable, "application/x-mach-binary"}},
	{"\xca\xfe\xba\xbe\x00\x00\x00\x02", Signature{"Mach-O universal executable", Executable, "application/x-mach-binary"}},
	{"\xca\xfe\xba\xbe\x00", Signature{"Java class", Executable, "application/java-vm"}},
	{"dex\n0", Signature{"DEX executable", Executable, "application/vnd.android.dex"}},

	{"SQLite format 3\x00", Signature{"SQLite database", Database, "application/vnd.sqlite3"}},
	{"PAR1", Signature{"Parquet database", Database, "application/vnd.apache.parquet"}},
	{"Obj\x01", Signature{"Avro container", Container, "application/vnd.apache.avro"}},
	{"\x0a\x0d\x0d\x0a", Signature{"pcapng capture", Container, "application/x-pcapng"}},
	// Either byte order: the mark is how a reader tells.
	{"\xd4\xc3\xb2\xa1", Signature{"pcap capture", Container, "application/vnd.tcpdump.pcap"}},
	{"\xa1\xb2\xc3\xd4", Signature{"pcap capture", Container, "application/vnd.tcpdump.pcap"}},
}
