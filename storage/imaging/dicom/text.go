package dicom

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Find returns the element with the tag, nil when there is none.
func (d Dataset) Find(t Tag) *Element {
	i, ok := slices.BinarySearchFunc(d.Elements, t, func(e Element, t Tag) int { return cmp.Compare(e.Tag, t) })
	if !ok {
		return nil
	}
	return &d.Elements[i]
}

// Texts is a textual attribute's values, decoded to UTF-8 and without padding; nil when it is absent or empty.
func (d Dataset) Texts(t Tag) []string {
	e := d.Find(t)
	if e == nil {
		return nil
	}
	return d.charset(nil).texts(*e)
}

// Text is the first of Texts.
func (d Dataset) Text(t Tag) string {
	if all := d.Texts(t); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Int is an attribute's first value as a whole number, absent when there is none or it is no number.
func (d Dataset) Int(t Tag, absent int) int {
	if all := d.Numbers(t); len(all) > 0 && math.Abs(all[0]) < 1<<31 {
		return int(all[0])
	}
	return absent
}

// Numbers is an attribute's values as numbers, whichever type carries them.
func (d Dataset) Numbers(t Tag) []float64 {
	e := d.Find(t)
	if e == nil {
		return nil
	}
	switch e.VR {
	case "DS", "IS":
		var all []float64
		for _, s := range d.charset(nil).texts(*e) {
			n, err := strconv.ParseFloat(s, 64)
			if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
				return nil
			}
			all = append(all, n)
		}
		return all
	}
	var all []float64
	for b := e.Value; len(b) >= size(e.VR) && size(e.VR) > 0; b = b[size(e.VR):] {
		all = append(all, d.number(e.VR, b))
	}
	return all
}

// size of one binary value, 0 for types that aren't numbers.
func size(vr string) int {
	switch vr {
	case "US", "SS":
		return 2
	case "UL", "SL", "FL", "AT":
		return 4
	case "UV", "SV", "FD":
		return 8
	}
	return 0
}

func (d Dataset) number(vr string, b []byte) float64 {
	switch vr {
	case "US":
		return float64(d.Order.Uint16(b))
	case "SS":
		return float64(int16(d.Order.Uint16(b)))
	case "UL":
		return float64(d.Order.Uint32(b))
	case "SL":
		return float64(int32(d.Order.Uint32(b)))
	case "UV":
		return float64(d.Order.Uint64(b))
	case "SV":
		return float64(int64(d.Order.Uint64(b)))
	case "FL":
		return float64(math.Float32frombits(d.Order.Uint32(b)))
	case "FD":
		return math.Float64frombits(d.Order.Uint64(b))
	}
	return 0
}

// charset is the encoding of one data set's texts (PS3.3 C.12.1.1.2).
type charset struct {
	first    encoding.Encoding // until an escape sequence says otherwise; nil for ASCII
	escapes  bool              // ISO 2022 code extensions are declared
	declared bool
}

// encodings of Specific Character Set without and, where the name begins ISO 2022, with code extensions.
// GBK and GB2312 aren't in the standard; Chinese equipment writes them.
var encodings = map[string]encoding.Encoding{
	"6":       nil,
	"13":      japanese.ShiftJIS, // JIS X 0201 is its single-byte part
	"100":     charmap.ISO8859_1,
	"101":     charmap.ISO8859_2,
	"109":     charmap.ISO8859_3,
	"110":     charmap.ISO8859_4,
	"126":     charmap.ISO8859_7,
	"127":     charmap.ISO8859_6,
	"138":     charmap.ISO8859_8,
	"144":     charmap.ISO8859_5,
	"148":     charmap.ISO8859_9,
	"166":     charmap.Windows874,
	"203":     charmap.ISO8859_15,
	"192":     encoding.Nop,
	"GB18030": simplifiedchinese.GB18030,
	"GBK":     simplifiedchinese.GBK,
	"GB2312":  simplifiedchinese.GBK,
	"58":      nil, // reached by escape only
	"87":      nil,
	"149":     nil,
	"159":     nil,
}

// maxCharsets is how many bytes of Specific Character Set are read: all terms there are take less.
const maxCharsets = 512

var separators = strings.NewReplacer(" ", "", "_", "", "-", "")

// charset of the data set, or its parent's when it declares none.
func (d Dataset) charset(parent *charset) charset {
	e := d.Find(SpecificCharacterSet)
	if e == nil {
		if parent != nil {
			return *parent
		}
		return charset{}
	}
	var c charset
	for i, name := range strings.Split(string(e.Value[:min(len(e.Value), maxCharsets)]), `\`) {
		name = strings.ToUpper(strings.Trim(name, " \x00"))
		c.declared = c.declared || name != ""
		c.escapes = c.escapes || i > 0 || strings.HasPrefix(name, "ISO 2022") || strings.HasPrefix(name, "ISO_2022")
		name = separators.Replace(name) // equipment writes ISO-IR 100 and ISO_IR_192
		for _, prefix := range []string{"ISO2022", "ISO", "IR"} {
			name = strings.TrimPrefix(name, prefix)
		}
		if i == 0 {
			c.first = encodings[name]
		}
	}
	return c
}

// texts decodes an element and splits it into its values.
func (c charset) texts(e Element) []string {
	s := ascii(e.Value)
	if isText(e.VR) {
		s = c.decode(e.Value)
	}
	s = strings.TrimRight(s, " \x00")
	if e.VR == "PN" { // empty components at the end say nothing
		s = strings.TrimRight(s, "^= ")
	}
	if s == "" {
		return nil
	}
	switch e.VR {
	case "ST", "LT", "UT", "UR": // one value in which a backslash is a letter, leading spaces count
		return []string{s}
	}
	all := strings.Split(s, `\`)
	for i := range all {
		all[i] = strings.Trim(all[i], " \x00")
	}
	return all
}

func ascii(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return utf8.RuneError
		}
		return r
	}, string(b))
}

// decode never fails: what can't be read becomes U+FFFD. Eight-bit text in files that declare nothing is UTF-8 if it
// can be, else GB18030, as equipment sold in China writes it.
func (c charset) decode(b []byte) string {
	switch {
	case c.escapes:
		return c.iso2022(b)
	case c.first != nil:
		return plainText(c.first, b)
	case utf8.Valid(b):
		return string(b)
	case c.declared:
		return ascii(b)
	}
	return plainText(simplifiedchinese.GB18030, b)
}

func plainText(e encoding.Encoding, b []byte) string {
	s, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return ascii(b)
	}
	return strings.ToValidUTF8(string(s), "�")
}

// halves are what the escape sequences of PS3.3 table C.12-3 and C.12-4 call into the lower (G0) or upper (G1) half.
var halves = []struct {
	escape string
	upper  bool
	set    func([]byte) string
}{
	{"\x1b(B", false, ascii},
	{"\x1b(J", false, ascii}, // JIS X 0201 romaji: read as ASCII, as everybody does
	{"\x1b)I", true, func(b []byte) string { return plainText(japanese.ShiftJIS, b) }},
	{"\x1b$B", false, func(b []byte) string { return plainText(japanese.EUCJP, raise(b, false)) }},
	{"\x1b$(D", false, func(b []byte) string { return plainText(japanese.EUCJP, raise(b, true)) }},
	{"\x1b$)C", true, func(b []byte) string { return plainText(korean.EUCKR, b) }},
	{"\x1b$)A", true, func(b []byte) string { return plainText(simplifiedchinese.GBK, b) }},
	{"\x1b-A", true, latin(charmap.ISO8859_1)},
	{"\x1b-B", true, latin(charmap.ISO8859_2)},
	{"\x1b-C", true, latin(charmap.ISO8859_3)},
	{"\x1b-D", true, latin(charmap.ISO8859_4)},
	{"\x1b-F", true, latin(charmap.ISO8859_7)},
	{"\x1b-G", true, latin(charmap.ISO8859_6)},
	{"\x1b-H", true, latin(charmap.ISO8859_8)},
	{"\x1b-L", true, latin(charmap.ISO8859_5)},
	{"\x1b-M", true, latin(charmap.ISO8859_9)},
	{"\x1b-T", true, latin(charmap.Windows874)},
}

func latin(e encoding.Encoding) func([]byte) string {
	return func(b []byte) string { return plainText(e, b) }
}

// raise turns 7-bit JIS pairs into EUC-JP; JIS X 0212 pairs get the byte that announces them.
func raise(b []byte, supplementary bool) []byte {
	var euc []byte
	for i := 0; i+1 < len(b); i += 2 {
		if supplementary {
			euc = append(euc, 0x8F)
		}
		euc = append(euc, b[i]|0x80, b[i+1]|0x80)
	}
	return euc
}

// iso2022 decodes text with code extensions. Both halves fall back at the delimiters of PS3.5 §6.1.2.5.3.
func (c charset) iso2022(b []byte) string {
	upperAtStart := ascii
	if c.first != nil {
		upperAtStart = latin(c.first)
	}
	lower, upper, wide := ascii, upperAtStart, false // wide: the lower half holds pairs
	var out strings.Builder
	out.Grow(len(b))
	for len(b) > 0 {
		if b[0] == 0x1b {
			matched := false
			next := string(b[:min(4, len(b))])
			for _, h := range halves {
				if strings.HasPrefix(next, h.escape) {
					if h.upper {
						upper = h.set
					} else {
						lower, wide = h.set, h.escape[1] == '$'
					}
					b, matched = b[len(h.escape):], true
					break
				}
			}
			if !matched {
				out.WriteRune(utf8.RuneError)
				b = b[1:]
			}
			continue
		}
		n := 0
		switch {
		case b[0] >= 0x80:
			for n < len(b) && b[n] >= 0x80 {
				n++
			}
			out.WriteString(upper(b[:n]))
		case wide && b[0] > ' ':
			for n+1 < len(b) && b[n] > ' ' && b[n] < 0x80 && b[n] != 0x1b {
				n += 2
			}
			n = max(n, 1)
			out.WriteString(lower(b[:n]))
		default:
			if strings.IndexByte("\\^=\r\n\t\f", b[0]) >= 0 {
				lower, upper, wide = ascii, upperAtStart, false
			}
			for n = 1; !wide && n < len(b) && b[n] >= ' ' && b[n] < 0x80 && strings.IndexByte(`\^=`, b[n]) < 0; {
				n++
			}
			out.WriteString(ascii(b[:n]))
		}
		b = b[n:]
	}
	return out.String()
}
