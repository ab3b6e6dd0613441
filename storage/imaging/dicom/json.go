package dicom

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
)

// MaxInline is the largest binary value kept inside the JSON; larger ones become a BulkDataURI. It holds a palette of
// 256 colours and leaves out pictures, waveforms and documents.
const MaxInline = 1024

// BulkPrefix begins each BulkDataURI that JSON writes; whoever serves the JSON puts its own address there.
const BulkPrefix = "bulkdata/"

// JSON is the data set in the DICOM JSON model (PS3.18 annex F), always UTF-8, with group 0002's transfer syntax left
// out as the annex wants. Binary values beyond MaxInline and the pixels are replaced by BulkPrefix and their tag path
// (PS3.18 §8.4); bulk says where each lies in the (inflated) file.
func (f *File) JSON() (doc []byte, bulk map[string]Span) {
	w := &writer{out: make([]byte, 0, f.spelled), bulk: map[string]Span{}}
	d := f.Data
	if f.Pixels != nil {
		d.Elements = append(slices.Clip(d.Elements), Element{Tag: f.Pixels.Tag, VR: f.Pixels.VR})
		if f.Pixels.Whole.Length > 0 {
			w.bulk[f.Pixels.Tag.String()] = f.Pixels.Whole
		}
	}
	w.dataset(d, charset{}, "")
	return w.out, w.bulk
}

type writer struct {
	out  []byte
	bulk map[string]Span
}

func (w *writer) dataset(d Dataset, parent charset, path string) {
	c := d.charset(&parent)
	w.out = append(w.out, '{')
	for _, e := range d.Elements {
		if uint16(e.Tag) == 0 { // group lengths say nothing of the object
			continue
		}
		if w.out[len(w.out)-1] != '{' {
			w.out = append(w.out, ',')
		}
		w.out = append(w.out, `"`+e.Tag.String()+`":{"vr":"`+e.VR+`"`...)
		w.value(d, c, e, path+e.Tag.String())
		w.out = append(w.out, '}')
	}
	w.out = append(w.out, '}')
}

func (w *writer) value(d Dataset, c charset, e Element, path string) {
	switch {
	case e.Tag == SpecificCharacterSet:
		w.out = append(w.out, `,"Value":["ISO_IR 192"]`...)
	case path == PixelData.String() || path == floatPixelData.String() || path == doublePixelData.String():
		w.out = append(w.out, `,"BulkDataURI":"`+BulkPrefix+path+`"`...)
	case e.VR == "SQ":
		if len(e.Items) == 0 {
			return
		}
		w.out = append(w.out, `,"Value":[`...)
		for i, it := range e.Items {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			w.dataset(it, c, path+"."+strconv.Itoa(i+1)+".")
		}
		w.out = append(w.out, ']')
	case len(e.Value) == 0:
	case strings.HasPrefix(e.VR, "O") || e.VR == "UN":
		if len(e.Value) > MaxInline {
			w.bulk[path] = Span{e.Offset, int64(len(e.Value))}
			w.out = append(w.out, `,"BulkDataURI":"`+BulkPrefix+path+`"`...)
			return
		}
		w.out = append(w.out, `,"InlineBinary":"`...)
		w.out = base64.StdEncoding.AppendEncode(w.out, littleEndian(d, e))
		w.out = append(w.out, '"')
	case size(e.VR) > 0:
		w.numbers(d, e)
	default:
		w.texts(e.VR, c.texts(e))
	}
}

// littleEndian is a binary value as DICOM JSON wants it, whatever order the file has (PS3.18 F.2.7).
func littleEndian(d Dataset, e Element) []byte {
	b := slices.Clone(e.Value)
	if d.Order == binary.BigEndian {
		Swap(b, WordOf(e.VR))
	}
	return b
}

// WordOf is the size of the words whose bytes an other-type value has in its file's order, 1 where order says nothing.
func WordOf(vr string) int {
	return cmp.Or(map[string]int{"OW": 2, "OL": 4, "OF": 4, "OV": 8, "OD": 8}[vr], 1)
}

// PixelWord is WordOf the pixels, whose words are those of a sample.
func (f *File) PixelWord() int {
	switch allocated := f.Data.Int(BitsAllocated, 8); {
	case allocated > 8:
		return allocated / 8
	case f.Pixels != nil:
		return WordOf(f.Pixels.VR)
	}
	return 1
}

// Swap turns each word of so many bytes round, in place.
func Swap(b []byte, width int) {
	for i := 0; width > 1 && i+width <= len(b); i += width {
		slices.Reverse(b[i : i+width])
	}
}

func (w *writer) numbers(d Dataset, e Element) {
	n := size(e.VR)
	first := true
	for b := e.Value; len(b) >= n; b = b[n:] {
		w.out = append(w.out, map[bool]string{true: `,"Value":[`, false: ","}[first]...)
		first = false
		v := d.number(e.VR, b)
		switch {
		case e.VR == "AT":
			w.out = append(w.out, `"`+(Tag(d.Order.Uint16(b))<<16|Tag(d.Order.Uint16(b[2:]))).String()+`"`...)
		case e.VR == "UV":
			w.out = strconv.AppendUint(w.out, d.Order.Uint64(b), 10)
		case e.VR == "SV":
			w.out = strconv.AppendInt(w.out, int64(d.Order.Uint64(b)), 10)
		case math.IsNaN(v) || math.IsInf(v, 0):
			w.out = strconv.AppendQuote(w.out, strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(v, 'g', -1, 64)), "+"))
		case e.VR == "FL":
			w.out = strconv.AppendFloat(w.out, v, 'g', -1, 32)
		default:
			w.out = strconv.AppendFloat(w.out, v, 'g', -1, 64)
		}
	}
	if !first {
		w.out = append(w.out, ']')
	}
}

func (w *writer) texts(vr string, all []string) {
	if len(all) == 0 {
		return
	}
	w.out = append(w.out, `,"Value":[`...)
	for i, s := range all {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		switch {
		case s == "":
			w.out = append(w.out, "null"...)
		case vr == "PN":
			w.name(s)
		case vr == "DS" || vr == "IS":
			w.decimal(s)
		default:
			w.quote(s)
		}
	}
	w.out = append(w.out, ']')
}

// name writes the groups of a person's name (PS3.5 §6.2.1.2).
func (w *writer) name(s string) {
	w.out = append(w.out, '{')
	groups := [3]string{"Alphabetic", "Ideographic", "Phonetic"}
	for i, part := range strings.SplitN(s, "=", 3) {
		if part = strings.TrimRight(strings.TrimLeft(part, " "), "^ "); part == "" {
			continue
		}
		if w.out[len(w.out)-1] != '{' {
			w.out = append(w.out, ',')
		}
		w.out = append(w.out, `"`+groups[i]+`":`...)
		w.quote(part)
	}
	w.out = append(w.out, '}')
}

// decimal writes a number where the text is one, else the text: losing it would lose a measurement.
func (w *writer) decimal(s string) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		w.quote(s)
		return
	}
	w.out = strconv.AppendFloat(w.out, n, 'g', -1, 64)
}

// quote writes a string where it stands: json.Marshal would make two more of a text of megabytes.
func (w *writer) quote(s string) {
	w.out = append(w.out, '"')
	for from := 0; from < len(s); {
		n := from
		for n < len(s) && s[n] >= ' ' && strings.IndexByte(`"\<>&`, s[n]) < 0 { // <, > and & for who puts it into a page
			n++
		}
		w.out = append(w.out, s[from:n]...)
		if n < len(s) {
			const hex = "0123456789abcdef"
			w.out = append(w.out, '\\', 'u', '0', '0', hex[s[n]>>4], hex[s[n]&15])
			n++
		}
		from = n
	}
	w.out = append(w.out, '"')
}
