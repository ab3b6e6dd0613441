// Package dicom reads DICOM Part 10 files (PS3.10) that nobody vouches for.
//
// Read takes one pass over the bytes and keeps what the house needs to answer without opening the file again: the
// data set up to the pixels, where each frame lies, the digest. It never allocates what a length field claims before
// the bytes are there, and stops at the limits below. Values are kept as they lie; text.go gives their meaning,
// json.go the DICOM JSON model, pixel.go pictures, write.go files with other words in them.
package dicom

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Limits. Real files stay far below: the largest of our test data has 2 600 elements, depth 7, 300 kB of metadata.
const (
	MaxDepth    = 64       // nested sequences
	MaxElements = 100_000  // in one file, items' elements included
	MaxItems    = 50_000   // in one file, pixel fragments included
	MaxValue    = 16 << 20 // bytes of one value other than the pixels
	MaxMetadata = 32 << 20 // bytes of all values other than the pixels, which are held twice for a moment
	MaxSpelled  = 32 << 20 // bytes that the values which are no binary ones take in DICOM JSON, at most
	MaxValues   = 1 << 20  // values of one attribute: a contour has some thousand, a look-up table 65,536
	MaxShort    = 1 << 16  // bytes of a text of the types that explicit files give 16 bits of length, numbers as text apart
	MaxInflated = 64 << 20 // bytes of a deflated data set: to be read it is inflated in memory
	MaxRatio    = 100      // of inflated to deflated bytes; real data sets reach about 20
)

// What a head of daily work stays below: CT and MR have some hundred attributes and, with a vendor's own, up to 200 kB.
const (
	LightElements = 5_000
	LightMetadata = 512 << 10
)

// Tag is group and element, 0xGGGGEEEE.
type Tag uint32

// String is the eight hex digits used by DICOM JSON and in URLs.
func (t Tag) String() string { return fmt.Sprintf("%08X", uint32(t)) }

// ParseTag reads eight hex digits or a keyword of PS3.6.
func ParseTag(s string) (Tag, bool) {
	if len(s) == 8 {
		if n, err := strconv.ParseUint(s, 16, 32); err == nil {
			return Tag(n), true
		}
	}
	t, ok := dictionary().tags[s]
	return t, ok
}

func (t Tag) group() uint16 { return uint16(t >> 16) }

// The tags that this house reads by name.
const (
	TransferSyntaxUID          Tag = 0x00020010
	SpecificCharacterSet       Tag = 0x00080005
	SOPClassUID                Tag = 0x00080016
	SOPInstanceUID             Tag = 0x00080018
	StudyDate                  Tag = 0x00080020
	SeriesDate                 Tag = 0x00080021
	StudyTime                  Tag = 0x00080030
	AccessionNumber            Tag = 0x00080050
	Modality                   Tag = 0x00080060
	ModalitiesInStudy          Tag = 0x00080061
	InstitutionName            Tag = 0x00080080
	ReferringPhysician         Tag = 0x00080090
	StudyDescription           Tag = 0x00081030
	SeriesDescription          Tag = 0x0008103E
	PatientName                Tag = 0x00100010
	PatientID                  Tag = 0x00100020
	PatientBirthDate           Tag = 0x00100030
	PatientSex                 Tag = 0x00100040
	StudyInstanceUID           Tag = 0x0020000D
	SeriesInstanceUID          Tag = 0x0020000E
	StudyID                    Tag = 0x00200010
	SeriesNumber               Tag = 0x00200011
	InstanceNumber             Tag = 0x00200013
	NumberOfFrames             Tag = 0x00280008
	Rows                       Tag = 0x00280010
	Columns                    Tag = 0x00280011
	EncapsulatedDocument       Tag = 0x00420011
	MIMETypeOfDocument         Tag = 0x00420012
	ScheduledStepID            Tag = 0x00400009
	StepStartDate              Tag = 0x00400244
	StepStartTime              Tag = 0x00400245
	RequestAttributes          Tag = 0x00400275
	RequestedProcedureID       Tag = 0x00401001
	PixelData                  Tag = 0x7FE00010
	MediaStorageSOPClassUID    Tag = 0x00020002
	MediaStorageSOPInstanceUID Tag = 0x00020003
	samplesPerPixel            Tag = 0x00280002
	pixelSpacing               Tag = 0x00280030
	imagedWidth                Tag = 0x00480001
	imagedHeight               Tag = 0x00480002
	matrixColumns              Tag = 0x00480006
	matrixRows                 Tag = 0x00480007
	photometric                Tag = 0x00280004
	planarConfiguration        Tag = 0x00280006
	BitsAllocated              Tag = 0x00280100
	bitsStored                 Tag = 0x00280101
	highBit                    Tag = 0x00280102
	pixelRepresentation        Tag = 0x00280103
	windowCenter               Tag = 0x00281050
	windowWidth                Tag = 0x00281051
	rescaleIntercept           Tag = 0x00281052
	rescaleSlope               Tag = 0x00281053
	redPaletteDescriptor       Tag = 0x00281101
	redPalette                 Tag = 0x00281201
	modalityLUTSequence        Tag = 0x00283000
	voiLUTSequence             Tag = 0x00283010
	lutDescriptor              Tag = 0x00283002
	lutData                    Tag = 0x00283006
	sharedGroups               Tag = 0x52009229
	perFrameGroups             Tag = 0x52009230
	extendedOffsetTable        Tag = 0x7FE00001
	extendedOffsetLengths      Tag = 0x7FE00002
	floatPixelData             Tag = 0x7FE00008
	doublePixelData            Tag = 0x7FE00009
	item                       Tag = 0xFFFEE000
	itemEnd                    Tag = 0xFFFEE00D
	sequenceEnd                Tag = 0xFFFEE0DD
)

// Transfer syntaxes (PS3.6 table A-1). Others are stored and served as they are when known lists them.
const (
	ImplicitLE = "1.2.840.10008.1.2"
	ExplicitLE = "1.2.840.10008.1.2.1"
	DeflatedLE = "1.2.840.10008.1.2.1.99"
	ExplicitBE = "1.2.840.10008.1.2.2"
	RLE        = "1.2.840.10008.1.2.5"
	JPEG       = "1.2.840.10008.1.2.4.50"
	JPEGExt    = "1.2.840.10008.1.2.4.51"
)

// known transfer syntaxes, the retired ones too, with the media type of a frame in each (PS3.18 table 8.7.3-5; where it names none, what
// the bytes are). Those of PS3.6 table A-1 that no file has are left out: MIME, XML (1.2.840.10008.1.2.6) and SMPTE ST 2110
// (1.2.840.10008.1.2.7) are forms of messages and streams, Papyrus 3 (1.2.840.10008.1.20) is a format of its own.
var known = map[string]string{
	ImplicitLE:                  octets,
	ExplicitLE:                  octets,
	"1.2.840.10008.1.2.1.98":    octets, // encapsulated uncompressed
	DeflatedLE:                  octets,
	ExplicitBE:                  octets,
	RLE:                         "image/dicom-rle",
	"1.2.840.10008.1.2.8.1":     octets, // deflated frame by frame
	JPEG:                        "image/jpeg",
	JPEGExt:                     "image/jpeg",
	"1.2.840.10008.1.2.4.52":    "image/jpeg",
	"1.2.840.10008.1.2.4.53":    "image/jpeg",
	"1.2.840.10008.1.2.4.54":    "image/jpeg",
	"1.2.840.10008.1.2.4.55":    "image/jpeg",
	"1.2.840.10008.1.2.4.56":    "image/jpeg",
	"1.2.840.10008.1.2.4.57":    "image/jpeg",
	"1.2.840.10008.1.2.4.58":    "image/jpeg",
	"1.2.840.10008.1.2.4.59":    "image/jpeg",
	"1.2.840.10008.1.2.4.60":    "image/jpeg",
	"1.2.840.10008.1.2.4.61":    "image/jpeg",
	"1.2.840.10008.1.2.4.62":    "image/jpeg",
	"1.2.840.10008.1.2.4.63":    "image/jpeg",
	"1.2.840.10008.1.2.4.64":    "image/jpeg",
	"1.2.840.10008.1.2.4.65":    "image/jpeg",
	"1.2.840.10008.1.2.4.66":    "image/jpeg",
	"1.2.840.10008.1.2.4.70":    "image/jpeg",
	"1.2.840.10008.1.2.4.80":    "image/jls",
	"1.2.840.10008.1.2.4.81":    "image/jls",
	"1.2.840.10008.1.2.4.90":    "image/jp2",
	"1.2.840.10008.1.2.4.91":    "image/jp2",
	"1.2.840.10008.1.2.4.92":    "image/jpx",
	"1.2.840.10008.1.2.4.93":    "image/jpx",
	"1.2.840.10008.1.2.4.94":    octets, // JPIP, here and below: a server is named instead of pixels
	jpipDeflated:                octets,
	"1.2.840.10008.1.2.4.100":   "video/mpeg2",
	"1.2.840.10008.1.2.4.100.1": "video/mpeg2", // in fragments
	"1.2.840.10008.1.2.4.101":   "video/mpeg2",
	"1.2.840.10008.1.2.4.101.1": "video/mpeg2", // in fragments
	"1.2.840.10008.1.2.4.102":   "video/mp4",
	"1.2.840.10008.1.2.4.102.1": "video/mp4", // in fragments
	"1.2.840.10008.1.2.4.103":   "video/mp4",
	"1.2.840.10008.1.2.4.103.1": "video/mp4", // in fragments
	"1.2.840.10008.1.2.4.104":   "video/mp4",
	"1.2.840.10008.1.2.4.104.1": "video/mp4", // in fragments
	"1.2.840.10008.1.2.4.105":   "video/mp4",
	"1.2.840.10008.1.2.4.105.1": "video/mp4", // in fragments
	"1.2.840.10008.1.2.4.106":   "video/mp4",
	"1.2.840.10008.1.2.4.106.1": "video/mp4", // in fragments
	"1.2.840.10008.1.2.4.107":   "video/H265",
	"1.2.840.10008.1.2.4.108":   "video/H265",
	"1.2.840.10008.1.2.4.110":   "image/jxl",
	"1.2.840.10008.1.2.4.111":   "image/jxl",
	"1.2.840.10008.1.2.4.112":   "image/jxl",
	"1.2.840.10008.1.2.4.201":   "image/jphc",
	"1.2.840.10008.1.2.4.202":   "image/jphc",
	"1.2.840.10008.1.2.4.203":   "image/jphc",
	"1.2.840.10008.1.2.4.204":   octets,
	jpipHTDeflated:              octets,
}

const (
	octets = "application/octet-stream"

	jpipDeflated   = "1.2.840.10008.1.2.4.95"
	jpipHTDeflated = "1.2.840.10008.1.2.4.205"
)

// Deflated reports whether data sets in this syntax lie deflated as a whole: offsets point into the inflated file.
func Deflated(syntax string) bool {
	return syntax == DeflatedLE || syntax == jpipDeflated || syntax == jpipHTDeflated
}

// FrameType is the media type of a frame in a transfer syntax, "" for a syntax that is registered for no file.
func FrameType(syntax string) string { return known[syntax] }

// Native reports whether pixels in this syntax lie uncompressed.
func Native(syntax string) bool {
	switch syntax {
	case ImplicitLE, ExplicitLE, DeflatedLE, ExplicitBE:
		return true
	}
	return false
}

// ValidUID reports whether s can be a UID: digits and dots, at most 64 (PS3.5 §9.1). Old equipment writes
// components with leading zeros; they are let through because the object would otherwise be lost to the patient.
func ValidUID(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0123456789.") == ""
}

// Element is one attribute: a value or, for sequences, items.
type Element struct {
	Tag    Tag
	VR     string // two capitals; implicit files get it from the dictionary
	Value  []byte // as it lies, in the data set's byte order
	Items  []Dataset
	Offset int64 // of Value in the (inflated) file
	icon   bool  // fragments inside a sequence: read past, no value
}

// Dataset is the elements of a file or of an item, by tag, each once.
type Dataset struct {
	Elements []Element
	Order    binary.ByteOrder
}

// Span is a run of bytes in the (inflated) file.
type Span struct {
	Offset int64 `json:"o"`
	Length int64 `json:"n"`
}

// Pixels says where the picture lies. Frames is empty when an encapsulated stream is one video. Frames of 1-bit images
// whose size is no multiple of eight share the byte between them.
type Pixels struct {
	Element int64 // offset of the element itself: everything before it is the head of the file
	Tag     Tag
	VR      string
	Whole   Span // the value, where it is one run: uncompressed pixels, or a video in one fragment
	Frames  []Frame
}

// Frame is one picture: a single span, or the fragments it was cut into, in order.
type Frame []Span

// File is what Read has understood. Nothing in it refers to the reader any more.
type File struct {
	Meta           Dataset // group 0002
	Data           Dataset // up to the pixels
	TransferSyntax string
	Begin          int64   // of the data set, after the file meta information
	Pixels         *Pixels // nil for objects without a picture
	Size           int64   // of the file as it came
	spelled        int     // about the bytes of its DICOM JSON
	SHA256         [32]byte
}

// A Problem says what is wrong with a file, in words for its sender. It holds no value of the file.
type Problem struct {
	Reason Reason
	Offset int64
	Say    string
}

// Reason groups problems as senders' systems know them (PS3.4 table B.2-1).
type Reason uint16

const (
	NotUnderstood Reason = 0xC000
	TooMuch       Reason = 0xA700
	UnknownSyntax Reason = 0xC122
)

func (p *Problem) Error() string { return fmt.Sprintf("%s (at byte %d)", p.Say, p.Offset) }
