package dicom

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Report is what doctors have marked on images of one study, on its way into the study: the measurements as a
// structured report (PS3.16 TID 1500), the key images as a selection (TID 2010), what was drawn as presentation states
// (PS3.3 A.33).
type Report struct {
	Series, SOP string             // its own UIDs
	More        func(n int) string // UIDs of its objects after the first, n from 1
	Number      int                // of its series
	Author      string             // who signed
	Institution string             // where
	At          time.Time          // when, in the institution's time
	Images      map[string]*File   // the heads of the images it speaks of, by SOP Instance UID
	Marks       []ReportMark
}

// ReportMark is one mark. Points count columns and rows from the corner of the first pixel (PS3.3 C.18.6.1.2), on a
// slide from that of its whole plane, the total pixel matrix of the object. A key image of a slide has two, the corners
// of what was seen.
type ReportMark struct {
	UID    string // tracks the measurement
	SOP    string
	Frame  int // from 1
	Tool   string
	Points [][2]float64
	Text   string
	Found  *ReportFound
	Author string
}

// ReportFound is what the pixels of a region say.
type ReportFound struct {
	Mean, SD float64
	Unit     string
}

const (
	comprehensiveSR    = "1.2.840.10008.5.1.4.1.1.88.33"
	keyObjectSelection = "1.2.840.10008.5.1.4.1.1.88.59"
	implementation     = "2.25.92940166686946928978846783906363698910" // this writer (PS3.7 D.3.3.2)
)

type code struct{ value, scheme, meaning string }

var (
	unitMM      = code{"mm", "UCUM", "millimeter"}
	unitMM2     = code{"mm2", "UCUM", "square millimeter"}
	unitUM      = code{"um", "UCUM", "micrometer"}
	unitUM2     = code{"um2", "UCUM", "square micrometer"}
	unitDegree  = code{"deg", "UCUM", "degree"}
	unitPixels  = code{"{pixels}", "UCUM", "pixels"}
	unitPixels2 = code{"{pixels}2", "UCUM", "square pixels"}
	unitHU      = code{"[hnsf'U]", "UCUM", "Hounsfield unit"}
	unitNone    = code{"1", "UCUM", "no units"}

	derivation  = code{"121401", "DCM", "Derivation"}
	imageRegion = code{"111030", "DCM", "Image Region"}
)

// Measurements writes the marks that measure or point as TID 1500, or nil when there are none.
func (r Report) Measurements() ([]byte, error) {
	var groups []Dataset
	for _, m := range r.Marks {
		if m.Tool != "key" {
			g, err := r.group(m, len(groups)+1)
			if err != nil {
				return nil, err
			}
			groups = append(groups, g)
		}
	}
	if groups == nil {
		return nil, nil
	}
	language := related("HAS CONCEPT MOD", codeItem(code{"121049", "DCM", "Language of Content Item and Descendants"}, code{"zh", "RFC5646", "Chinese"}),
		related("HAS CONCEPT MOD", codeItem(code{"121046", "DCM", "Country of Language"}, code{"CN", "ISO3166_1", "China"})))
	content := []Dataset{
		language,
		related("HAS OBS CONTEXT", codeItem(code{"121005", "DCM", "Observer Type"}, code{"121006", "DCM", "Person"})),
		related("HAS OBS CONTEXT", valueItem("PNAME", code{"121008", "DCM", "Person Observer Name"}, text(0x0040A123, r.Author))),
		related("HAS CONCEPT MOD", codeItem(code{"121058", "DCM", "Procedure reported"}, code{"363679005", "SCT", "Imaging procedure"})),
		related("CONTAINS", container(code{"111028", "DCM", "Image Library"}, "", r.library()...)),
		related("CONTAINS", container(code{"126010", "DCM", "Imaging Measurements"}, "", groups...)),
	}
	root := container(code{"126000", "DCM", "Imaging Measurement Report"}, "1500", content...)
	return r.compose(comprehensiveSR, "SR", "Measurements", root, []Element{
		text(0x0040A491, "COMPLETE"), text(0x0040A493, "VERIFIED"),
		sequenceOf(0x0040A073, Dataset{Elements: []Element{text(0x0040A027, r.Institution), text(0x0040A030, r.At.Format("20060102150405")),
			text(0x0040A075, r.Author), sequenceOf(0x0040A088)}}),
		sequenceOf(0x0040A372),
	})
}

// KeyImages writes the images marked as key as TID 2010, or nil when there are none.
func (r Report) KeyImages() ([]byte, error) {
	var content []Dataset
	for _, m := range r.Marks {
		if m.Tool == "key" {
			item, err := r.image(m)
			if err != nil {
				return nil, err
			}
			content = append(content, related("CONTAINS", item))
		}
	}
	if content == nil {
		return nil, nil
	}
	observer := []Dataset{
		related("HAS OBS CONTEXT", codeItem(code{"121005", "DCM", "Observer Type"}, code{"121006", "DCM", "Person"})),
		related("HAS OBS CONTEXT", valueItem("PNAME", code{"121008", "DCM", "Person Observer Name"}, text(0x0040A123, r.Author))),
	}
	root := container(code{"113000", "DCM", "Of Interest"}, "2010", append(observer, content...)...)
	return r.compose(keyObjectSelection, "KO", "Key images", root, nil)
}

// group is one measurement: TID 1501, of a region TID 1410.
func (r Report) group(m ReportMark, n int) (Dataset, error) {
	image, err := r.image(m)
	if err != nil {
		return Dataset{}, err
	}
	shape, err := coordinates(m, image, onPlane(r.Images[m.SOP]))
	if err != nil {
		return Dataset{}, err
	}
	items := []Dataset{
		related("HAS OBS CONTEXT", valueItem("TEXT", code{"112039", "DCM", "Tracking Identifier"}, text(0x0040A160, m.Tool+" "+strconv.Itoa(n)))),
		related("HAS OBS CONTEXT", valueItem("UIDREF", code{"112040", "DCM", "Tracking Unique Identifier"}, text(0x0040A124, m.UID))),
		related("HAS OBS CONTEXT", valueItem("PNAME", code{"121008", "DCM", "Person Observer Name"}, text(0x0040A123, m.Author))),
	}
	if m.Text != "" {
		items = append(items, related("CONTAINS", valueItem("TEXT", code{"121106", "DCM", "Comment"}, text(0x0040A160, m.Text))))
	}
	template := "1501"
	concept, value, unit := r.size(m)
	switch m.Tool {
	case "length", "angle":
		items = append(items, measured(concept, value, unit, related("INFERRED FROM", shape)))
	case "ellipse", "rectangle":
		template = "1410"
		items = append(items, related("CONTAINS", named(shape, imageRegion)), measured(concept, value, unit))
		if m.Found != nil {
			items = append(items, r.found(m)...)
		}
	default: // an arrow: a place worth looking at
		items = append(items, related("CONTAINS", named(shape, imageRegion)))
	}
	return related("CONTAINS", container(code{"125007", "DCM", "Measurement Group"}, template, items...)), nil
}

// onPlane reports whether an image is a slide: points count in the plane that its frames are tiles of (PS3.3 C.7.6.17).
func onPlane(f *File) bool { return f.Data.Int(matrixColumns, 0) > 0 }

// spacingOf is how high and wide a pixel is, in mm. A slide may say only how large the glass is that it shows.
func spacingOf(f *File, frame int) (height, width float64, known bool) {
	d := f.Data
	if s := frameNumbers(d, frame-1, pixelSpacing); len(s) == 2 && s[0] > 0 && s[1] > 0 {
		return s[0], s[1], true
	}
	w, h := d.Numbers(imagedWidth), d.Numbers(imagedHeight)
	columns, rows := d.Int(matrixColumns, 0), d.Int(matrixRows, 0)
	if len(w) == 1 && len(h) == 1 && w[0] > 0 && h[0] > 0 && columns > 0 && rows > 0 {
		return h[0] / float64(rows), w[0] / float64(columns), true
	}
	return 1, 1, false
}

// size is what a mark measures: a length, an angle or an area, in the patient where the image has a scale, on a slide
// in micrometres.
func (r Report) size(m ReportMark) (concept code, value float64, unit code) {
	height, width, known := spacingOf(r.Images[m.SOP], m.Frame)
	line, square := unitPixels, unitPixels2
	switch {
	case known && onPlane(r.Images[m.SOP]):
		height, width = height*1000, width*1000
		line, square = unitUM, unitUM2
	case known:
		line, square = unitMM, unitMM2
	}
	run := func(a, b [2]float64) (x, y float64) { return (b[0] - a[0]) * width, (b[1] - a[1]) * height }
	p := m.Points
	switch m.Tool {
	case "length":
		x, y := run(p[0], p[1])
		return code{"410668003", "SCT", "Length"}, math.Hypot(x, y), line
	case "angle":
		ax, ay := run(p[1], p[0])
		bx, by := run(p[1], p[2])
		turn := math.Abs(math.Atan2(ax*by-ay*bx, ax*bx+ay*by)) * 180 / math.Pi
		return code{"1483009", "SCT", "Angle"}, turn, unitDegree
	case "ellipse", "rectangle":
		x, y := run(p[0], p[1])
		area := math.Abs(x * y)
		if m.Tool == "ellipse" {
			area *= math.Pi / 4
		}
		return code{"42798000", "SCT", "Area"}, area, square
	}
	return code{}, 0, code{}
}

// found is what the pixels of a region say: coded where there is a code for it, else in words.
func (r Report) found(m ReportMark) []Dataset {
	var concept, in code
	switch {
	case m.Found.Unit == "HU":
		concept, in = code{"112031", "DCM", "Attenuation Coefficient"}, unitHU
	case r.Images[m.SOP].Data.Text(Modality) == "MR":
		concept, in = code{"110852", "DCM", "MR signal intensity"}, unitNone
	default:
		said := fmt.Sprintf("mean %g SD %g %s", m.Found.Mean, m.Found.SD, m.Found.Unit)
		return []Dataset{related("CONTAINS", valueItem("TEXT", code{"121106", "DCM", "Comment"}, text(0x0040A160, strings.TrimSpace(said))))}
	}
	return []Dataset{
		measured(concept, m.Found.Mean, in, related("HAS CONCEPT MOD", codeItem(derivation, code{"373098007", "SCT", "Mean"}))),
		measured(concept, m.Found.SD, in, related("HAS CONCEPT MOD", codeItem(derivation, code{"386136009", "SCT", "Standard Deviation"}))),
	}
}

// outline is the mark's shape as a graphic type with its points (PS3.3 C.18.6.1.2 and C.10.5.1.2 alike).
func outline(m ReportMark) (kind string, p [][2]float64, err error) {
	want := map[string]int{"length": 2, "angle": 3, "ellipse": 2, "rectangle": 2, "arrow": 2}[m.Tool]
	if want == 0 || len(m.Points) != want {
		return "", nil, errors.New("mark " + m.UID + " has not the points of its tool")
	}
	kind, p = "POLYLINE", m.Points
	switch m.Tool {
	case "arrow":
		kind, p = "POINT", p[:1]
	case "rectangle": // closed
		p = [][2]float64{p[0], {p[1][0], p[0][1]}, p[1], {p[0][0], p[1][1]}, p[0]}
	case "ellipse": // the ends of the long axis, then of the short one
		kind = "ELLIPSE"
		x, y := (p[0][0]+p[1][0])/2, (p[0][1]+p[1][1])/2
		across := [][2]float64{{p[0][0], y}, {p[1][0], y}}
		down := [][2]float64{{x, p[0][1]}, {x, p[1][1]}}
		if math.Abs(p[0][0]-p[1][0]) < math.Abs(p[0][1]-p[1][1]) {
			across, down = down, across
		}
		p = append(across, down...)
	}
	return kind, p, nil
}

// coordinates is the mark's shape on its image, or on the plane of a slide, whose points no frame holds.
func coordinates(m ReportMark, image Dataset, plane bool) (Dataset, error) {
	kind, p, err := outline(m)
	if err != nil {
		return Dataset{}, err
	}
	d := Dataset{Elements: []Element{text(0x0040A040, "SCOORD"), floats(0x00700022, p...), text(0x00700023, kind),
		sequenceOf(0x0040A730, related("SELECTED FROM", image))}}
	if plane {
		d.Elements = append(d.Elements, text(0x00480301, "VOLUME")) // Pixel Origin Interpretation (PS3.3 C.18.6)
	}
	return d, nil
}

func floats(t Tag, points ...[2]float64) Element {
	var data []byte
	for _, point := range points {
		for _, v := range point {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
		}
	}
	return Element{Tag: t, VR: "FL", Value: data}
}

// image refers to the mark's image, and to its frame where it has several.
func (r Report) image(m ReportMark) (Dataset, error) {
	f := r.Images[m.SOP]
	if f == nil {
		return Dataset{}, errors.New("image of mark " + m.UID + " is not in the study")
	}
	of := reference(f, m.Frame)
	if n := tiles(f, m); n != nil {
		of.Elements = append(of.Elements, text(0x00081160, strings.Join(n, `\`)))
	}
	return Dataset{Elements: []Element{text(0x0040A040, referredTo(f)), sequenceOf(0x00081199, of)}}, nil
}

// referredTo is the value type of a reference to the object (PS3.3 table C.17.3-7): a tracing and a document are no images.
func referredTo(f *File) string {
	class := f.Data.Text(SOPClassUID)
	switch {
	case strings.HasPrefix(class, "1.2.840.10008.5.1.4.1.1.9."):
		return "WAVEFORM"
	case strings.HasPrefix(class, "1.2.840.10008.5.1.4.1.1.104."), strings.HasPrefix(class, "1.2.840.10008.5.1.4.1.1.88."):
		return "COMPOSITE"
	}
	return "IMAGE"
}

// mostTiles of a key image are named; of a larger region the object as a whole. A screen shows some fifty.
const mostTiles = 1000

// tiles are the frames of a slide that show a key image: those that reach into its region, in the focal plane and
// optical path of the frame that stands in its middle (PS3.3 C.7.6.17.3).
func tiles(f *File, m ReportMark) (frames []string) {
	d := f.Data
	wide, high, count := d.Int(Columns, 0), d.Int(Rows, 0), d.Int(NumberOfFrames, 1)
	if m.Tool != "key" || len(m.Points) != 2 || !onPlane(f) || wide < 1 || high < 1 || m.Frame < 1 || m.Frame > count {
		return nil
	}
	a, b := m.Points[0], m.Points[1]
	add := func(frame, x, y int) {
		if float64(x) < max(a[0], b[0]) && float64(x+wide) > min(a[0], b[0]) && float64(y) < max(a[1], b[1]) && float64(y+high) > min(a[1], b[1]) {
			frames = append(frames, strconv.Itoa(frame))
		}
	}
	if groups := d.Find(perFrameGroups); groups != nil && len(groups.Items) == count && groups.Items[0].Find(planePosition) != nil {
		_, _, depth, path := tileOf(groups.Items[m.Frame-1])
		for i, group := range groups.Items {
			if x, y, z, p := tileOf(group); z == depth && p == path {
				add(i+1, x, y)
			}
		}
	} else {
		across, down := (d.Int(matrixColumns, 0)+wide-1)/wide, (d.Int(matrixRows, 0)+high-1)/high
		first := 1 - d.Int(0x00209228, 0) // of a concatenation this object holds a part (C.7.6.16.2.2.4)
		plane := first + (m.Frame-first)/(across*down)*across*down
		for i := max(plane, 1); i < plane+across*down && i <= count; i++ {
			add(i, (i-plane)%across*wide, (i-plane)/across*high)
		}
	}
	if len(frames) > mostTiles {
		return nil
	}
	return frames
}

const planePosition Tag = 0x0048021A // Plane Position (Slide) Sequence

// tileOf is where a frame of a sparse slide lies: its corner in the plane, from 0, its depth in the glass in µm, and its
// optical path.
func tileOf(group Dataset) (x, y int, depth, path string) {
	if e := group.Find(planePosition); e != nil && len(e.Items) > 0 {
		x, y, depth = e.Items[0].Int(0x0048021E, 1)-1, e.Items[0].Int(0x0048021F, 1)-1, e.Items[0].Text(0x0040074A)
	}
	if e := group.Find(0x00480207); e != nil && len(e.Items) > 0 {
		path = e.Items[0].Text(0x00480106)
	}
	return x, y, depth, path
}

// reference names an image, and its frame where it has several; frame 0 is all of them. A slide is named as a whole, but for its key images.
func reference(f *File, frame int) Dataset {
	of := []Element{text(0x00081150, f.Data.Text(SOPClassUID)), text(0x00081155, f.Data.Text(SOPInstanceUID))}
	if frame > 0 && f.Data.Int(NumberOfFrames, 1) > 1 && !onPlane(f) {
		of = append(of, text(0x00081160, strconv.Itoa(frame)))
	}
	return Dataset{Elements: of}
}

func (r Report) library() []Dataset {
	var all []Dataset
	seen := map[string]bool{}
	for _, m := range r.Marks {
		if item, err := r.image(ReportMark{SOP: m.SOP, Frame: 1}); err == nil && !seen[m.SOP] {
			seen[m.SOP] = true
			all = append(all, related("CONTAINS", item))
		}
	}
	return []Dataset{related("CONTAINS", container(code{"126200", "DCM", "Image Library Group"}, "", all...))}
}

// compose puts the document into the study of its images.
func (r Report) compose(class, modality, description string, root Dataset, general []Element) ([]byte, error) {
	of, series := r.bySeries(r.Marks, 0x00081199)
	body := []Element{text(0x00080023, r.At.Format("20060102")), text(0x00080033, r.At.Format("150405")), sequenceOf(0x00081111),
		sequenceOf(0x0040A375, Dataset{Elements: []Element{text(StudyInstanceUID, of.Text(StudyInstanceUID)), sequenceOf(0x00081115, series...)}})}
	return r.file(of, r.SOP, 1, class, modality, description, append(append(body, general...), root.Elements...))
}

// bySeries names the images of marks under their series, in a sequence called by tag; of is the head of one of them.
func (r Report) bySeries(marks []ReportMark, tag Tag) (of Dataset, series []Dataset) {
	images := map[string][]Dataset{}
	var order []string
	seen := map[string]bool{}
	for _, m := range marks {
		f := r.Images[m.SOP]
		if f == nil || seen[m.SOP] {
			continue
		}
		seen[m.SOP], of = true, f.Data
		uid := f.Data.Text(SeriesInstanceUID)
		if images[uid] == nil {
			order = append(order, uid)
		}
		images[uid] = append(images[uid], reference(f, 0))
	}
	for _, uid := range order {
		series = append(series, Dataset{Elements: []Element{text(SeriesInstanceUID, uid), sequenceOf(tag, images[uid]...)}})
	}
	return of, series
}

// file puts an object into the study of the image whose head is of.
func (r Report) file(of Dataset, sop string, number int, class, modality, description string, body []Element) ([]byte, error) {
	elements := []Element{text(SpecificCharacterSet, "ISO_IR 192"), text(SOPClassUID, class), text(SOPInstanceUID, sop),
		text(SeriesInstanceUID, r.Series), text(Modality, modality), text(SeriesDescription, description),
		text(SeriesNumber, strconv.Itoa(r.Number)), text(InstanceNumber, strconv.Itoa(number)), text(0x00080070, "Yuanzhen"),
		text(InstitutionName, r.Institution), text(0x00080201, r.At.Format("-0700"))}
	for _, t := range []Tag{StudyDate, StudyTime, AccessionNumber, ReferringPhysician, StudyDescription, PatientName, PatientID, PatientBirthDate,
		PatientSex, StudyInstanceUID, 0x00200010} {
		elements = append(elements, text(t, strings.Join(of.Texts(t), `\`)))
	}
	meta, err := fileHead(Dataset{Order: binary.LittleEndian}, map[Tag]string{0x00020001: "\x00\x01", TransferSyntaxUID: ExplicitLE,
		MediaStorageSOPClassUID: class, MediaStorageSOPInstanceUID: sop, 0x00020012: implementation})
	if err != nil {
		return nil, err
	}
	// dcmtk's check of presentation states takes the later bytes of UTF-8 for control characters
	e := encoder{out: meta, explicit: true, gb: class == softcopyState}
	err = e.dataset(Dataset{Elements: append(elements, body...), Order: binary.LittleEndian}, charset{}, nil)
	return e.out, err
}

func text(t Tag, s string) Element {
	return Element{Tag: t, VR: VROf(t), Value: padded(VROf(t), []byte(s))}
}

func sequenceOf(t Tag, items ...Dataset) Element { return Element{Tag: t, VR: "SQ", Items: items} }

func (c code) item() Dataset {
	return Dataset{Elements: []Element{text(0x00080100, c.value), text(0x00080102, c.scheme), text(0x00080104, c.meaning)}}
}

func container(concept code, template string, content ...Dataset) Dataset {
	d := Dataset{Elements: []Element{text(0x0040A040, "CONTAINER"), sequenceOf(0x0040A043, concept.item()), text(0x0040A050, "SEPARATE"), sequenceOf(0x0040A730, content...)}}
	if template != "" {
		d.Elements = append(d.Elements, sequenceOf(0x0040A504, Dataset{Elements: []Element{text(0x00080105, "DCMR"), text(0x0040DB00, template)}}))
	}
	return d
}

func codeItem(concept, value code) Dataset {
	return valueItem("CODE", concept, sequenceOf(0x0040A168, value.item()))
}

func valueItem(kind string, concept code, value Element) Dataset {
	return Dataset{Elements: []Element{text(0x0040A040, kind), sequenceOf(0x0040A043, concept.item()), value}}
}

// measured is a number of a group.
func measured(concept code, value float64, unit code, content ...Dataset) Dataset {
	d := valueItem("NUM", concept, sequenceOf(0x0040A300, Dataset{Elements: []Element{text(0x0040A30A, decimal(value)), sequenceOf(0x004008EA, unit.item())}}))
	if content != nil {
		d.Elements = append(d.Elements, sequenceOf(0x0040A730, content...))
	}
	return related("CONTAINS", d)
}

// related says how an item belongs to the one above, with further content of its own.
func related(how string, d Dataset, content ...Dataset) Dataset {
	d.Elements = append([]Element{text(0x0040A010, how)}, d.Elements...)
	if content != nil {
		d.Elements = append(d.Elements, sequenceOf(0x0040A730, content...))
	}
	return d
}

func named(d Dataset, concept code) Dataset {
	d.Elements = append([]Element{sequenceOf(0x0040A043, concept.item())}, d.Elements...)
	return d
}
