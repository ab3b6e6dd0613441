package dicom

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"errors"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// confidentiality.txt is PS3.15 table E.1-1 as "tag action" a line: X remove, Z empty, D a dummy, U another UID; t where
// the option for modified dates shifts, d where the option for descriptors cleans. Where the table leaves a choice
// (X/Z/D) it has what is valid in every object. Drawn from the standard's text as of 2024e.
//
//go:embed confidentiality.txt
var confidentialityText string

// words.txt are the words of a description that name a region, a view or a technique, and so nobody.
//
//go:embed words.txt
var wordsText string

var confidentiality = sync.OnceValue(func() map[Tag]string {
	all := map[Tag]string{}
	for line := range strings.Lines(confidentialityText) {
		f := strings.Fields(line)
		n, err := strconv.ParseUint(f[0], 16, 32)
		if err != nil {
			panic("confidentiality.txt: " + line)
		}
		all[Tag(n)] = f[1]
	}
	return all
})

var harmless = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields(wordsText) {
		all[w] = true
	}
	return all
})

// ErrNotDeidentified is for objects that can't be made anonymous by their attributes: reports, documents and waveforms,
// whose content is text, and the rare file that isn't little endian.
var ErrNotDeidentified = errors.New("this kind of object can't be de-identified")

const (
	burnedIn       Tag = 0x00280301
	visualFeatures Tag = 0x00280302
)

// MayShowText reports whether a person has to look for text in the pixels before they leave the hospital: unless the
// object, whose attributes value gives, says that there is none, and for kinds of pictures where that word isn't worth
// much (PS3.15 E.3.1).
func MayShowText(value func(Tag) string) bool {
	switch value(Modality) {
	case "US", "IVUS", "SC", "OT", "XC", "ES", "GM", "OP", "XA", "RF", "DOC":
		return true
	}
	return value(burnedIn) != "NO" || value(visualFeatures) == "YES" || strings.HasPrefix(value(SOPClassUID), "1.2.840.10008.5.1.4.1.1.7")
}

// BlankNotes zeroes what a compressed picture's own header says beside the picture: comments, EXIF with its place and
// camera, previews. Lengths stay. It understands the marker segments that JPEG, JPEG-LS and JPEG 2000 share, and the boxes of
// the file that JPEG 2000 may be wrapped into.
func BlankNotes(b []byte) {
	if len(b) >= 8 && string(b[4:8]) == "jP  " {
		blankBoxes(b)
	}
	if len(b) < 4 || b[0] != 0xFF || b[1] != 0xD8 && b[1] != 0x4F {
		return
	}
	for at := 2; at+4 <= len(b) && b[at] == 0xFF; {
		marker, end := b[at+1], at+2+int(binary.BigEndian.Uint16(b[at+2:]))
		if marker == 0xDA || marker == 0x90 || end > len(b) { // the picture begins
			return
		}
		segment := b[at+4 : max(end, at+4)]
		switch {
		case marker == 0xE0 && bytes.HasPrefix(segment, []byte("JFIF")), marker == 0xE2 && bytes.HasPrefix(segment, []byte("ICC_PROFILE")),
			marker == 0xEE, marker == 0xE8: // how colours are meant
		case marker == 0xFE, marker&0xF0 == 0xE0:
			clear(segment)
		case marker == 0x64 && len(segment) > 2: // JPEG 2000's comment, after its kind
			clear(segment[2:])
		}
		at = max(end, at+4)
	}
}

// blankBoxes leaves of a JP2 file (T.800 annex I) what the picture needs; other boxes, such as XML and UUID, become free space.
func blankBoxes(b []byte) {
	for len(b) >= 8 {
		head, n := 8, uint64(binary.BigEndian.Uint32(b))
		if n == 1 && len(b) >= 16 {
			head, n = 16, binary.BigEndian.Uint64(b[8:])
		}
		if n < uint64(head) || n > uint64(len(b)) { // 0: to the end
			n = uint64(len(b))
		}
		content := b[min(head, int(n)):n]
		switch string(b[4:8]) {
		case "jP  ", "ftyp", "jp2h":
		case "jp2c":
			BlankNotes(content)
		default:
			copy(b[4:], "free")
			clear(content)
		}
		b = b[n:]
	}
}

// Deidentify returns the head of the file, the bytes before its pixel element, by the Basic Application Level
// Confidentiality Profile (PS3.15 annex E) with the options Clean Descriptors and Retain Longitudinal Temporal
// Information With Modified Dates: private attributes are gone; UIDs, the patient's name and the days by which dates
// move depend on the key alone, so that they agree between the files of one export. What the table doesn't name stays
// unless it is free text, a name, opaque, or holds a word of those that were removed.
func (f *File) Deidentify(key []byte) ([]byte, error) {
	if f.Pixels == nil || f.Data.Order != binary.LittleEndian || Deflated(f.TransferSyntax) {
		return nil, ErrNotDeidentified
	}
	n := disguise{key: key, explicit: f.TransferSyntax != ImplicitLE}
	n.patient = "TEACHING^" + strings.ToUpper(n.hash("patient", f.Data.Text(PatientID)).Text(36))[:8]
	n.days = -365 - int(new(big.Int).Mod(n.hash("days", f.Data.Text(PatientID)), big.NewInt(3286)).Int64()) // one to ten years back
	n.learn(f.Data, charset{})
	d := n.dataset(f.Data, charset{}, true)
	for _, e := range []Element{
		text(0x00120062, "YES"), text(0x00120063, `PS3.15 Basic Profile\Clean Descriptors\Modified Dates`),
		sequenceOf(0x00120064,
			code{"113100", "DCM", "Basic Application Confidentiality Profile"}.item(),
			code{"113105", "DCM", "Clean Descriptors Option"}.item(),
			code{"113107", "DCM", "Retain Longitudinal Temporal Information Modified Dates Option"}.item()),
		text(burnedIn, "NO"), text(0x00280303, "MODIFIED"),
	} {
		d.Elements = append(slices.DeleteFunc(d.Elements, func(o Element) bool { return o.Tag == e.Tag }), e)
	}
	meta, err := fileHead(Dataset{Order: binary.LittleEndian}, map[Tag]string{TransferSyntaxUID: f.TransferSyntax,
		MediaStorageSOPClassUID: f.Data.Text(SOPClassUID), MediaStorageSOPInstanceUID: n.uid(f.Data.Text(SOPInstanceUID))})
	if err != nil {
		return nil, err
	}
	e := encoder{out: meta, explicit: n.explicit}
	err = e.dataset(d, charset{}, nil)
	return e.out, err
}

// disguise is what one file's attributes are replaced with.
type disguise struct {
	key      []byte
	explicit bool
	patient  string
	days     int
	names    []string // words that name somebody, lower case
}

func (n *disguise) hash(of, value string) *big.Int {
	mac := hmac.New(sha256.New, n.key)
	mac.Write([]byte(of + "\x00" + value))
	return new(big.Int).SetBytes(mac.Sum(nil)[:16])
}

// uid is another UID for one that this key has not seen, always the same for one that it has; the standard's own stay.
func (n *disguise) uid(old string) string {
	if old == "" || strings.HasPrefix(old, "1.2.840.10008.") {
		return old
	}
	return "2.25." + n.hash("uid", old).String()
}

// identifying attributes beside all names of persons.
var identifying = []Tag{PatientID, AccessionNumber, InstitutionName, 0x00080081, 0x00081010, 0x00081040, 0x00101000, 0x00101040, 0x00102154, 0x00181000, 0x00200010, 0x00380010}

// learn gathers the words that must not be left anywhere: of two Chinese characters, or of four letters and digits.
func (n *disguise) learn(d Dataset, parent charset) {
	c := d.charset(&parent)
	for _, e := range d.Elements {
		for _, item := range e.Items {
			n.learn(item, c)
		}
		if e.VR != "PN" && !slices.Contains(identifying, e.Tag) {
			continue
		}
		for _, word := range strings.FieldsFunc(strings.Join(c.texts(e), "^"), func(r rune) bool { return strings.ContainsRune(`^= ,\`, r) }) {
			if utf8.RuneCountInString(word) >= 4 || len(word) >= 6 {
				n.names = append(n.names, strings.ToLower(word))
			}
		}
	}
}

// tells reports whether a text holds a word that names somebody.
func (n *disguise) tells(s string) bool {
	s = strings.ToLower(s)
	return slices.ContainsFunc(n.names, func(name string) bool { return strings.Contains(s, name) })
}

func (n *disguise) dataset(d Dataset, parent charset, top bool) Dataset {
	c := d.charset(&parent)
	out := Dataset{Order: d.Order}
	if top {
		out.Elements = append(out.Elements, text(SpecificCharacterSet, "ISO_IR 192"))
	}
	for _, e := range d.Elements {
		if e.Tag != SpecificCharacterSet && uint16(e.Tag) != 0 && n.element(&e, c) {
			out.Elements = append(out.Elements, e)
		}
	}
	return out
}

// element changes what an attribute says, its text into UTF-8; false when it is not to be kept.
func (n *disguise) element(e *Element, c charset) bool {
	group := e.Tag.group()
	if group%2 == 1 || group>>8 == 0x50 || group>>8 == 0x60 || e.icon || VROf(e.Tag) == "UN" || e.VR == "UN" {
		return false // private, curves, overlays, and what nobody can read
	}
	action := confidentiality()[e.Tag]
	if e.VR == "SQ" {
		if strings.HasPrefix(action, "X") {
			return false
		}
		items := []Dataset{}
		for _, item := range e.Items {
			if !strings.HasPrefix(action, "Z") {
				items = append(items, n.dataset(item, c, false))
			}
		}
		e.Items = items
		return true
	}
	values := c.texts(*e)
	set := func(s string) { e.Value = padded(e.VR, []byte(s)) }
	switch {
	case e.Tag == PatientName || e.Tag == PatientID:
		set(n.patient)
		return true
	case e.VR == "UI":
		for i := range values {
			values[i] = n.uid(values[i])
		}
		set(strings.Join(values, `\`))
		return !strings.HasPrefix(action, "X")
	case (e.VR == "DA" || e.VR == "DT") && (action == "" || strings.Contains(action, "t")):
		for i := range values {
			values[i] = n.shifted(values[i])
		}
		set(strings.Join(values, `\`))
		return true
	case strings.Contains(action, "d") && (isText(e.VR) || e.VR == "CS"):
		if left := cleaned(strings.Join(values, " ")); left != "" && !n.tells(left) {
			set(strings.ToValidUTF8(left[:min(len(left), 64)], ""))
			return true
		}
	case action == "":
		switch e.VR {
		case "PN", "ST", "LT", "UT", "UR", "AS", "TM": // free text, names, ages, times of day
			return false
		case "OB", "OW":
			return !n.tells(string(e.Value))
		case "LO", "SH", "UC", "AE", "CS":
			if n.tells(strings.Join(values, " ")) {
				return false
			}
			if isText(e.VR) {
				set(strings.Join(values, `\`))
			}
		}
		return true
	}
	switch action[0] {
	case 'X', 'U': // U stands for UIDs and sequences, which are done
		return false
	case 'Z':
		e.Value = nil
		return true
	}
	e.Value = dummy(*e)
	return true
}

// dummy is a value of the right kind that says nothing.
func dummy(e Element) []byte {
	switch e.VR {
	case "DA":
		return []byte("19000101")
	case "TM":
		return []byte("000000")
	case "DT":
		return []byte("19000101000000")
	case "AS":
		return []byte("000Y")
	case "IS", "DS":
		return []byte("0 ")
	case "AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT":
		return []byte("REMOVED ")
	}
	return bytes.Repeat([]byte{0}, len(e.Value))
}

// shifted moves the day of a date or a date with time; a date that can't be read is gone. Of a time only the day stays.
func (n *disguise) shifted(s string) string {
	if len(s) < 8 {
		return ""
	}
	day, err := time.Parse("20060102", s[:8])
	if err != nil {
		return ""
	}
	return day.AddDate(0, 0, n.days).Format("20060102")
}

var measure = regexp.MustCompile(`^[0-9]{1,2}([.][0-9]{1,2})?(MM|CM)?$`)

// cleaned keeps of a description the words that name nobody.
func cleaned(s string) string {
	var kept []string
	for _, word := range strings.FieldsFunc(strings.ToUpper(s), func(r rune) bool { return strings.ContainsRune(" _,;:/()[]^*\\-\t\r\n", r) }) {
		switch {
		case harmless()[word] || measure.MatchString(word):
			kept = append(kept, word)
		case word[0] >= utf8.RuneSelf: // Chinese has no spaces: the longest known word at each place
			for r := []rune(word); len(r) > 0; {
				k := min(len(r), 6)
				for k > 0 && !harmless()[string(r[:k])] {
					k--
				}
				if k > 0 {
					kept = append(kept, string(r[:k]))
				}
				r = r[max(k, 1):]
			}
		}
	}
	return strings.Join(kept, " ")
}
