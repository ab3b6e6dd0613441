package dicom

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// aReport has one mark of each tool on a slice whose pixels are 0.810547 mm wide and high.
func aReport(t *testing.T) Report {
	t.Helper()
	raw, err := os.ReadFile("../testdata/ct-series-3/01.dcm")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	sop := f.Data.Text(SOPInstanceUID)
	mark := func(n int, tool string, points ...[2]float64) ReportMark {
		return ReportMark{UID: "2.25." + string(rune('1'+n)), SOP: sop, Frame: 1, Tool: tool, Points: points, Author: "李明远"}
	}
	region := mark(2, "ellipse", [2]float64{10, 10}, [2]float64{30, 50})
	region.Found, region.Text = &ReportFound{Mean: -612.5, SD: 31.25, Unit: "HU"}, "实性结节"
	return Report{Series: "2.25.10", SOP: "2.25.11", Number: 9001, Author: "李明远", Institution: "清河市第一医院",
		At: time.Date(2026, 11, 27, 10, 0, 0, 0, time.FixedZone("CST", 8*3600)), Images: map[string]*File{sop: f},
		Marks: []ReportMark{mark(0, "length", [2]float64{100, 100}, [2]float64{400, 500}), mark(1, "angle", [2]float64{0, 0}, [2]float64{10, 0}, [2]float64{10, 10}),
			region, mark(3, "rectangle", [2]float64{0, 0}, [2]float64{100, 10}), mark(4, "arrow", [2]float64{5, 6}, [2]float64{50, 60}), mark(5, "key")}}
}

// numbers collects the measured values of a report by the meaning of their concept.
func numbers(d Dataset, into map[string][]float64) map[string][]float64 {
	if value := d.Find(0x0040A300); value != nil {
		of := d.Find(0x0040A043).Items[0].Text(0x00080104)
		into[of] = append(into[of], value.Items[0].Numbers(0x0040A30A)...)
	}
	for _, e := range d.Elements {
		for _, it := range e.Items {
			numbers(it, into)
		}
	}
	return into
}

func TestAReportBringsBackTheSameMillimetres(t *testing.T) {
	r := aReport(t)
	raw, err := r.Measurements()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	const mm = 0.810547
	for what, want := range map[string][]float64{"Length": {500 * mm}, "Angle": {90}, "Area": {20 * 40 * mm * mm * math.Pi / 4, 100 * 10 * mm * mm}, "Attenuation Coefficient": {-612.5, 31.25}} {
		got := numbers(f.Data, map[string][]float64{})[what]
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", what, got, want)
			continue
		}
		for i := range want {
			if math.Abs(got[i]-want[i]) > 1e-6 {
				t.Errorf("%s: %v, want %v", what, got[i], want[i])
			}
		}
	}
	source := r.Images[r.Marks[0].SOP].Data
	for _, tag := range []Tag{StudyInstanceUID, PatientID, PatientName, StudyDate} {
		if got, want := f.Data.Text(tag), source.Text(tag); got != want {
			t.Errorf("(%s) is %q, want %q", tag, got, want)
		}
	}
	if f.Data.Text(SeriesInstanceUID) == source.Text(SeriesInstanceUID) {
		t.Error("the report lies in the images' series")
	}
	if again, err := r.Measurements(); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("the same report is other bytes: %v", err)
	}
}

func TestKeyImagesAreAsSelection(t *testing.T) {
	r := aReport(t)
	raw, err := r.KeyImages()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(bytes.NewReader(raw))
	if err != nil || f.Data.Text(SOPClassUID) != keyObjectSelection {
		t.Fatalf("%v, %v", f.Data.Text(SOPClassUID), err)
	}
	content := f.Data.Find(0x0040A730).Items
	if got := content[len(content)-1].Find(0x00081199).Items[0].Text(0x00081155); got != r.Marks[0].SOP {
		t.Errorf("the selection names %q", got)
	}
	for class, want := range map[string]string{
		"1.2.840.10008.5.1.4.1.1.2": "IMAGE", "1.2.840.10008.5.1.4.1.1.9.1.1": "WAVEFORM", "1.2.840.10008.5.1.4.1.1.104.1": "COMPOSITE",
	} {
		if got := referredTo(&File{Data: Dataset{Elements: []Element{text(SOPClassUID, class)}}}); got != want {
			t.Errorf("a key object of class %s is selected as %s, want %s", class, got, want)
		}
	}
	r.Marks = r.Marks[:1]
	if none, err := r.KeyImages(); none != nil || err != nil {
		t.Errorf("a selection of nothing: %d bytes, %v", len(none), err)
	}
	r.Marks = []ReportMark{{UID: "1", SOP: "1.2.3", Tool: "length"}}
	if _, err := r.Measurements(); err == nil {
		t.Error("a report on an image that is not there")
	}
}

// all collects the items of a data set and below that carry an attribute.
func all(d Dataset, t Tag) (found []Dataset) {
	if d.Find(t) != nil {
		found = append(found, d)
	}
	for _, e := range d.Elements {
		for _, it := range e.Items {
			found = append(found, all(it, t)...)
		}
	}
	return found
}

func TestAMeasureOnASlideIsOfItsPlaneInMicrometres(t *testing.T) {
	raw, err := os.ReadFile("../testdata/other/sm_image_dots.dcm") // 50 x 50 pixels of 0.499 µm in tiles of 10 x 10
	if err != nil {
		t.Fatal(err)
	}
	slide, err := Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	r, sop := aReport(t), slide.Data.Text(SOPInstanceUID)
	r.Images = map[string]*File{sop: slide}
	for i := range r.Marks {
		r.Marks[i].SOP = sop
	}
	r.Marks[0].Points = [][2]float64{{5, 5}, {35, 45}}
	const um = 0.499
	for _, name := range []string{"by Pixel Spacing", "by the size of what is imaged"} {
		raw, err := r.Measurements()
		if err != nil {
			t.Fatal(err)
		}
		f, err := Read(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		got := numbers(f.Data, map[string][]float64{})
		want := []float64{20 * 40 * um * um * math.Pi / 4, 100 * 10 * um * um}
		if math.Abs(got["Length"][0]-50*um) > 1e-5 || math.Abs(got["Area"][0]-want[0]) > 1e-4 || math.Abs(got["Area"][1]-want[1]) > 1e-4 {
			t.Errorf("%s: %v, want %v and areas %v", name, got, 50*um, want)
		}
		for _, unit := range all(f.Data, 0x004008EA) {
			if u := unit.Find(0x004008EA).Items[0].Text(0x00080100); u == "mm" || u == "mm2" {
				t.Errorf("%s: a unit is %s", name, u)
			}
		}
		for _, shape := range all(f.Data, 0x00700022) {
			if shape.Text(0x00480301) != "VOLUME" {
				t.Errorf("%s: a shape is on %q", name, shape.Text(0x00480301))
			}
		}
		if frames := all(f.Data, 0x00081160); frames != nil {
			t.Errorf("%s: %d references to a tile", name, len(frames))
		}
		slide.Data.Elements = slices.DeleteFunc(slide.Data.Elements, func(e Element) bool { return e.Tag == sharedGroups || e.Tag == perFrameGroups })
	}
	if files, err := r.Presentations(); files != nil || err != nil {
		t.Errorf("%d presentation states, %v", len(files), err)
	}
}

func TestAKeyImageOfASlideNamesTheTilesThatWereSeen(t *testing.T) {
	raw, err := os.ReadFile("../testdata/other/sm_image_dots.dcm") // 50 x 50 pixels in tiles of 10 x 10
	if err != nil {
		t.Fatal(err)
	}
	slide, err := Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	whole := slide.Data.Elements
	at := func(column, row int, depth string) Dataset { // a tile of a sparse slide
		return Dataset{Order: slide.Data.Order, Elements: []Element{sequenceOf(planePosition, Dataset{Order: slide.Data.Order, Elements: []Element{
			text(0x0040074A, depth), {Tag: 0x0048021E, VR: "SL", Value: binary.LittleEndian.AppendUint32(nil, uint32(column))},
			{Tag: 0x0048021F, VR: "SL", Value: binary.LittleEndian.AppendUint32(nil, uint32(row))}}})}}
	}
	sparse := []Dataset{at(1, 1, "0"), at(11, 1, "0"), at(1, 1, "5"), at(11, 1, "5"), at(31, 31, "5")}
	// with replaces elements of the slide's head.
	with := func(more ...Element) []Element {
		kept := slices.DeleteFunc(slices.Clone(whole), func(e Element) bool {
			return slices.ContainsFunc(more, func(o Element) bool { return o.Tag == e.Tag })
		})
		return slices.SortedFunc(slices.Values(append(kept, more...)), func(a, b Element) int { return cmp.Compare(a.Tag, b.Tag) })
	}
	full := with(Element{Tag: perFrameGroups, VR: "SQ"})
	for name, c := range map[string]struct {
		head   []Element
		frame  int
		points [][2]float64
		want   string
	}{
		"four in a row and two below":    {full, 8, [][2]float64{{15, 12}, {31, 29}}, `7\8\9\12\13\14`},
		"a corner that touches no more":  {full, 1, [][2]float64{{-40, -40}, {10, 10}}, "1"},
		"corners the other way round":    {full, 1, [][2]float64{{10, 10}, {-40, -40}}, "1"},
		"beyond the glass":               {full, 1, [][2]float64{{60, 60}, {90, 90}}, ""},
		"a slide seen as a whole":        {full, 13, nil, ""},
		"the second half of a cut level": {with(Element{Tag: perFrameGroups, VR: "SQ"}, text(NumberOfFrames, "15"), Element{Tag: 0x00209228, VR: "UL", Value: []byte{10, 0, 0, 0}}), 1, [][2]float64{{0, 0}, {11, 21}}, `1\2`},
		"the plane that was in focus":    {with(sequenceOf(perFrameGroups, sparse...), text(NumberOfFrames, "5")), 4, [][2]float64{{5, 5}, {20, 20}}, `3\4`},
	} {
		slide.Data.Elements = c.head
		r, sop := aReport(t), slide.Data.Text(SOPInstanceUID)
		r.Images = map[string]*File{sop: slide}
		r.Marks = []ReportMark{{UID: "1", SOP: sop, Frame: c.frame, Tool: "key", Points: c.points}}
		raw, err := r.KeyImages()
		if err != nil {
			t.Fatal(name, err)
		}
		f, err := Read(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(name, err)
		}
		content := f.Data.Find(0x0040A730).Items
		of := content[len(content)-1].Find(0x00081199).Items[0]
		if got := strings.Join(of.Texts(0x00081160), `\`); of.Text(0x00081155) != sop || got != c.want {
			t.Errorf("%s: frames %s of %s, want %s", name, got, of.Text(0x00081155), c.want)
		}
	}
}
