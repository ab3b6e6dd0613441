package dicom

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	softcopyState = "1.2.840.10008.5.1.4.1.1.11.1"
	graphicLayer  = "MARKS"
)

// Presentations writes what was drawn on grey images as Grayscale Softcopy Presentation States (PS3.3 A.33.1), or nil
// when nothing was: shapes with their measures as text, in the image's own window. A state has one way from stored
// values to grey for all its images, so that images of different ways get states of their own. Marks on colour images
// and on slides are in the structured report only.
func (r Report) Presentations() (files [][]byte, err error) {
	var order []string
	ways := map[string][]ReportMark{}
	for _, m := range r.Marks {
		f := r.Images[m.SOP]
		if m.Tool == "key" || f != nil && (onPlane(f) || !strings.HasPrefix(f.Data.Text(photometric), "MONOCHROME")) {
			continue
		}
		if f == nil {
			return nil, fmt.Errorf("image of mark %s is not in the study", m.UID)
		}
		way := f.Data.Text(photometric) + fmt.Sprint(frameNumbers(f.Data, m.Frame-1, rescaleSlope), frameNumbers(f.Data, m.Frame-1, rescaleIntercept))
		if f.Data.Find(modalityLUTSequence) != nil {
			way += m.SOP // a table is not compared
		}
		if ways[way] == nil {
			order = append(order, way)
		}
		ways[way] = append(ways[way], m)
	}
	for n, way := range order {
		sop := r.SOP
		if n > 0 {
			sop = r.More(n)
		}
		file, err := r.presentation(sop, n+1, ways[way])
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// presentation is the state of images that share their way to grey.
func (r Report) presentation(sop string, number int, marks []ReportMark) ([]byte, error) {
	of, series := r.bySeries(marks, 0x00081140)
	polarity := "IDENTITY"
	if of.Text(photometric) == "MONOCHROME1" {
		polarity = "INVERSE"
	}
	body := []Element{
		sequenceOf(0x00081115, series...),
		text(0x00700080, graphicLayer), text(0x00700081, ""), text(0x00700082, r.At.Format("20060102")), text(0x00700083, r.At.Format("150405")),
		text(0x00700084, r.Author),
		sequenceOf(0x00700060, Dataset{Elements: []Element{text(0x00700002, graphicLayer), text(0x00700062, "1")}}),
		text(0x20500020, polarity),
	}
	body = append(body, modalityLUT(r.Images[marks[0].SOP].Data, marks[0].Frame)...)
	var areas, windows, drawings []Dataset
	shown := map[string]bool{}
	for _, m := range marks {
		f := r.Images[m.SOP]
		if !shown[m.SOP] {
			shown[m.SOP] = true
			areas = append(areas, displayedArea(f))
		}
		if at := m.SOP + strconv.Itoa(m.Frame); !shown[at] {
			shown[at] = true
			if w := window(f, m.Frame); w != nil {
				windows = append(windows, Dataset{Elements: append(w, sequenceOf(0x00081140, reference(f, m.Frame)))})
			}
		}
		d, err := r.drawing(m)
		if err != nil {
			return nil, err
		}
		drawings = append(drawings, d)
	}
	body = append(body, sequenceOf(0x0070005A, areas...), sequenceOf(0x00700001, drawings...))
	if windows != nil {
		body = append(body, sequenceOf(0x00283110, windows...))
	}
	return r.file(of, sop, number, softcopyState, "PR", "Marks", body)
}

// modalityLUT is the image's own way to the modality's values, which a state replaces (PS3.4 N.2.1).
func modalityLUT(d Dataset, frame int) []Element {
	if table := d.Find(modalityLUTSequence); table != nil && d.Order == binary.LittleEndian {
		return []Element{*table}
	}
	slope, intercept := frameNumbers(d, frame-1, rescaleSlope), frameNumbers(d, frame-1, rescaleIntercept)
	if len(slope) == 0 || len(intercept) == 0 {
		return nil
	}
	unit := d.Text(0x00281054)
	if unit == "" {
		unit = "US" // unspecified
	}
	if d.Text(Modality) == "CT" {
		unit = "HU"
	}
	return []Element{text(rescaleIntercept, decimal(intercept[0])), text(rescaleSlope, decimal(slope[0])), text(0x00281054, unit)}
}

// window is the image's own way to grey.
func window(f *File, frame int) []Element {
	c, w := frameNumbers(f.Data, frame-1, windowCenter), frameNumbers(f.Data, frame-1, windowWidth)
	if len(c) > 0 && len(w) > 0 && w[0] >= 1 {
		return []Element{text(windowCenter, decimal(c[0])), text(windowWidth, decimal(w[0]))}
	}
	if table := f.Data.Find(voiLUTSequence); table != nil && len(table.Items) > 0 && f.Data.Order == binary.LittleEndian {
		return []Element{{Tag: voiLUTSequence, VR: "SQ", Items: table.Items[:1]}}
	}
	return nil
}

// displayedArea is the whole image (PS3.3 C.10.4).
func displayedArea(f *File) Dataset {
	long := func(t Tag, a, b int) Element {
		v := binary.LittleEndian.AppendUint32(nil, uint32(a))
		return Element{Tag: t, VR: "SL", Value: binary.LittleEndian.AppendUint32(v, uint32(b))}
	}
	scale := text(0x00700102, `1\1`)
	if s := frameNumbers(f.Data, 0, pixelSpacing); len(s) == 2 && s[0] > 0 && s[1] > 0 {
		scale = text(0x00700101, decimal(s[0])+`\`+decimal(s[1]))
	}
	return Dataset{Elements: []Element{sequenceOf(0x00081140, reference(f, 0)), long(0x00700052, 1, 1),
		long(0x00700053, f.Data.Int(Columns, 1), f.Data.Int(Rows, 1)), text(0x00700100, "SCALE TO FIT"), scale}}
}

// drawing is a mark's shape and words on its image (PS3.3 C.10.5).
func (r Report) drawing(m ReportMark) (Dataset, error) {
	kind, points, err := outline(m)
	if err != nil {
		return Dataset{}, err
	}
	if m.Tool == "arrow" { // drawn with its shaft
		kind, points = "POLYLINE", m.Points
	}
	short := func(t Tag, n int) Element {
		return Element{Tag: t, VR: "US", Value: binary.LittleEndian.AppendUint16(nil, uint16(n))}
	}
	shape := []Element{text(0x00700005, "PIXEL"), short(0x00700020, 2), short(0x00700021, len(points)), floats(0x00700022, points...), text(0x00700023, kind)}
	if kind == "ELLIPSE" || points[0] == points[len(points)-1] {
		shape = append(shape, text(0x00700024, "N"))
	}
	all := []Element{sequenceOf(0x00081140, reference(r.Images[m.SOP], m.Frame)), text(0x00700002, graphicLayer), sequenceOf(0x00700009, Dataset{Elements: shape})}
	if words := r.words(m); words != "" {
		all = append(all, sequenceOf(0x00700008, Dataset{Elements: []Element{text(0x00700004, "PIXEL"), text(0x00700006, words),
			floats(0x00700014, points[0]), text(0x00700015, "N")}}))
	}
	return Dataset{Elements: all}, nil
}

// words stand beside a shape: what it measures, and what was written.
func (r Report) words(m ReportMark) string {
	var all []string
	if concept, value, unit := r.size(m); concept != (code{}) {
		all = append(all, strconv.FormatFloat(value, 'f', 1, 64)+" "+strings.Trim(unit.value, "{}"))
	}
	if m.Found != nil {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%.1f ± %.1f %s", m.Found.Mean, m.Found.SD, m.Found.Unit)))
	}
	return strings.Join(slices.DeleteFunc(append(all, m.Text), func(s string) bool { return s == "" }), "\r\n")
}

// decimal is a number in 16 characters (PS3.5 §6.2, DS).
func decimal(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }
