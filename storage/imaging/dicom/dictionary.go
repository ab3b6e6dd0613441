package dicom

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

// dictionary.txt is PS3.6 as "tag VR keyword" a line, drawn from dcmjs 0.52.0 (MIT). Where the standard says OB or OW
// it has OW; XS stands for US or SS, which Pixel Representation decides.
//
//go:embed dictionary.txt
var dictionaryText string

type lookup struct {
	vrs  map[Tag]string
	tags map[string]Tag
}

var dictionary = sync.OnceValue(func() lookup {
	l := lookup{map[Tag]string{}, map[string]Tag{}}
	for line := range strings.Lines(dictionaryText) {
		f := strings.Fields(line)
		n, err := strconv.ParseUint(f[0], 16, 32)
		if err != nil {
			panic("dictionary.txt: " + line)
		}
		l.vrs[Tag(n)], l.tags[f[2]] = f[1], Tag(n)
	}
	return l
})

// VROf is the type of an attribute by PS3.6, "UN" when it isn't listed.
func VROf(t Tag) string {
	group, element := t.group(), uint16(t)
	switch {
	case element == 0:
		return "UL" // group length
	case group%2 == 1 && element >= 0x10 && element <= 0xFF:
		return "LO" // private creator: PS3.5 §7.8.1
	case group >= 0x5000 && group <= 0x501E, group >= 0x6000 && group <= 0x601E: // repeating groups
		t = Tag(group&0xFF00)<<16 | Tag(element)
	}
	switch vr := dictionary().vrs[t]; vr {
	case "":
		return "UN"
	case "XS":
		return "US"
	default:
		return vr
	}
}

// signedIf reports whether the attribute holds signed numbers in data sets whose pixels are signed.
func signedIf(t Tag) bool { return dictionary().vrs[t] == "XS" }
