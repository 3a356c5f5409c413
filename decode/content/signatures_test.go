package content

import (
	"strings"
	"testing"
)

// TestSignatures has the rest of the formats that TestSniff does not show, one
// a line: those told by a mark, by a brand, and by the library.
func TestSignatures(t *testing.T) {
	pad := strings.Repeat("\x00", 80)
	box := "\x00\x00\x00\x20ftyp"
	tests := []struct{ b, name, mime string }{
		{"GIF87a", "GIF image", "image/gif"},
		{"\xff\xd8\xff\xe1", "JPEG image", "image/jpeg"},
		{"\xff\xd8\xff\xdb", "JPEG image", "image/jpeg"},
		{"MM\x00*", "TIFF image", "image/tiff"},
		{"8BPS\x00\x01", "Photoshop image", "image/vnd.adobe.photoshop"},
		{"qoif", "QOI image", "image/qoi"},
		{"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL image", "image/jxl"},
		{"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000 image", "image/jp2"},
		{box + "avis", "AVIF image", "image/avif"},
		{box + "heix", "HEIC image", "image/heic"},
		{box + "hevc", "HEIC image", "image/heic"},
		{box + "hevx", "HEIC image", "image/heic"},
		{box + "mif1", "HEIF image", "image/heif"},
		{box + "mp41", "MP4 video", "video/mp4"},
		{box + "mp42", "MP4 video", "video/mp4"},
		{box + "iso2", "MP4 video", "video/mp4"},
		{box + "avc1", "MP4 video", "video/mp4"},
		{box + "mp71", "MP4 video", "video/mp4"},
		{box + "M4V ", "M4V video", "video/x-m4v"},
		{box + "M4B ", "M4B audiobook", "audio/mp4"},
		{box + "3gp5", "3GPP video", "video/3gpp"},
		{box + "3g2a", "3GPP video", "video/3gpp"},
		{box + "dash", "MPEG-DASH segment", "video/iso.segment"},
		{"RIFF\x10\x00\x00\x00AVI LIST", "AVI video", "video/x-msvideo"},
		{"FLV\x01", "FLV video", "video/x-flv"},
		{"\x00\x00\x01\xba", "MPEG program stream", "video/mpeg"},
		{"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", "MKV video", "video/matroska"},
		{"OggS\x00", "Ogg media", "audio/ogg"},
		{"MThd\x00\x00\x00\x06", "MIDI audio", "audio/midi"},
		{"#!AMR", "AMR audio", "audio/amr"},
		{"\xff\xf3\x64\xc4", "MP3 audio", "audio/mpeg"},
		{"\xff\xfa\x90\x64", "MP3 audio", "audio/mpeg"},
		{"\xff\xf1\x50\x80\x02\x1f\xfc", "AAC audio", "audio/aac"},
		{"Rar!\x1a\x07\x01\x00", "RAR5 archive", "application/vnd.rar"},
		{"Rar!\x1a\x07\x00", "RAR archive", "application/vnd.rar"},
		{"\xfd7zXZ\x00", "XZ archive", "application/x-xz"},
		{"PK\x05\x06", "ZIP archive", "application/zip"},
		{"PK\x07\x08", "ZIP archive", "application/zip"},
		{"\x04\x22\x4d\x18", "LZ4 archive", "application/x-lz4"},
		{"MSCF\x00\x00\x00\x00", "Cabinet archive", "application/vnd.ms-cab-compressed"},
		{"!<arch>\ndebian-binary", "Debian package", "application/vnd.debian.binary-package"},
		{"!<arch>\n", "Unix archive", "application/x-archive"},
		{"\xed\xab\xee\xdb", "RPM package", "application/x-rpm"},
		{"Cr24", "Chrome extension", "application/x-chrome-extension"},
		{"{\\rtf1", "RTF document", "application/rtf"},
		{"\xef\xbb\xbf<?xml", "XML document", "application/xml"},
		{"-----BEGIN CERTIFICATE-----", "PEM document", "application/x-pem-file"},
		{"d8:announce", "BitTorrent document", "application/x-bittorrent"},
		{"wOFF", "WOFF font", "font/woff"},
		{"OTTO", "OpenType font", "font/otf"},
		{"ttcf\x00", "TrueType collection", "font/collection"},
		{"\xfe\xed\xfa\xcf", "Mach-O executable", "application/x-mach-binary"},
		{"\xcf\xfa\xed\xfe", "Mach-O executable", "application/x-mach-binary"},
		{"\xca\xfe\xba\xbe\x00\x00\x00\x02", "Mach-O universal executable", "application/x-mach-binary"},
		{"dex\n035\x00", "DEX executable", "application/vnd.android.dex"},
		{"PAR1", "Parquet database", "application/vnd.apache.parquet"},
		{"Obj\x01", "Avro container", "application/vnd.apache.avro"},
		{"\x0a\x0d\x0d\x0a", "pcapng capture", "application/x-pcapng"},
		{"\xd4\xc3\xb2\xa1", "pcap capture", "application/vnd.tcpdump.pcap"},
		{"\xa1\xb2\xc3\xd4", "pcap capture", "application/vnd.tcpdump.pcap"},
	}
	for _, tt := range tests {
		got := Sniff([]byte(tt.b + pad))
		if got.Name != tt.name || got.MIME != tt.mime {
			t.Errorf("%q: got %q, %s, want %q, %s", tt.b, got.Name, got.MIME, tt.name, tt.mime)
		}
	}
}

// TestSniffShort cuts a signature everywhere: too little to tell is told as nothing.
func TestSniffShort(t *testing.T) {
	for _, full := range []string{
		"\x89PNG\r\n\x1a\n", "SQLite format 3\x00", "\x00asm\x01\x00\x00\x00", "Rar!\x1a\x07\x01\x00",
		"RIFF\x00\x00\x00\x00WEBP", "\x00\x00\x00\x20ftypisom", "7z\xbc\xaf\x27\x1c", "\xfd7zXZ\x00",
	} {
		for n := range len(full) {
			if got := Sniff([]byte(full[:n])); got.Name != "" {
				t.Errorf("%q is taken for %q", full[:n], got.Name)
			}
		}
		if got := Sniff([]byte(full)); got.Name == "" {
			t.Errorf("%q is not known", full)
		}
	}
}
