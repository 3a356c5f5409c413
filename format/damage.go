package format

import "fmt"

// DamageKind says what is wrong with a part of a file. Kinds are stable words.
type DamageKind string

// Kinds of damage.
const (
	DamageTorn    DamageKind = "torn"    // the file ends inside a frame: its writer was killed, or a copy was cut short
	DamageCorrupt DamageKind = "corrupt" // bytes are not what was written
	DamageMissing DamageKind = "missing" // whole chunks or a header are not there
	DamageVersion DamageKind = "version" // a section that only a newer reader may read
	DamageLimit   DamageKind = "limit"   // a chunk over ReaderOptions.MaxChunk
)

// Damage is a part of a file that could not be read.
type Damage struct {
	Offset int64 // first byte of it in the file
	Size   int64 // bytes, 0 if what should be there is not
	Kind   DamageKind
	Detail string // in words, one line, our own text only
}

func (d Damage) String() string {
	if d.Size == 0 {
		return fmt.Sprintf("%s at byte %d: %s", d.Kind, d.Offset, d.Detail)
	}
	return fmt.Sprintf("%s, %d bytes from byte %d: %s", d.Kind, d.Size, d.Offset, d.Detail)
}

// maxDamage bounds the list of a file made to be damaged everywhere.
const maxDamage = 1000

// note records damage. Once the list is full its last entry stands for the rest.
func (r *Reader) note(d Damage) {
	r.hurt = true
	if r.proof != nil && d.Kind != DamageLie {
		r.proof.broken = true
	}
	if len(r.damage) < maxDamage {
		r.damage = append(r.damage, d)
		return
	}
	last := &r.damage[maxDamage-1]
	last.Size = d.Offset + d.Size - last.Offset
	last.Detail = "more damage than can be listed"
}
