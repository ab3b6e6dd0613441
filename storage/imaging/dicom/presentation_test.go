package dicom

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func states(t *testing.T, r Report) (all []*File) {
	t.Helper()
	files, err := r.Presentations()
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range files {
		f, err := Read(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

func floatsOf(e *Element) (all []float64) {
	for b := e.Value; len(b) >= 4; b = b[4:] {
		all = append(all, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	}
	return all
}

func TestWhatWasDrawnIsAPresentationState(t *testing.T) {
	r := aReport(t)
	all := states(t, r)
	if len(all) != 1 {
		t.Fatalf("%d states", len(all))
	}
	d, source := all[0].Data, r.Images[r.Marks[0].SOP].Data
	for tag, want := range map[Tag]string{SOPClassUID: softcopyState, Modality: "PR", SOPInstanceUID: r.SOP, StudyInstanceUID: source.Text(StudyInstanceUID),
		PatientID: source.Text(PatientID), 0x20500020: "IDENTITY", 0x00700084: "李明远", rescaleSlope: decimal(source.Numbers(rescaleSlope)[0])} {
		if got := d.Text(tag); got != want {
			t.Errorf("(%s) is %q, want %q", tag, got, want)
		}
	}
	// A CT without its rescale would be drawn by stored values, a thousand away from the window.
	if got := d.Numbers(rescaleIntercept); !slices.Equal(got, source.Numbers(rescaleIntercept)) {
		t.Errorf("intercept %v", got)
	}
	area := d.Find(0x0070005A).Items[0]
	if got := area.Find(0x00700053).Value; binary.LittleEndian.Uint32(got) != 512 || binary.LittleEndian.Uint32(got[4:]) != 512 {
		t.Errorf("displayed area ends at % x", got)
	}
	window := d.Find(0x00283110).Items[0]
	if got := window.Numbers(windowCenter); !slices.Equal(got, source.Numbers(windowCenter)[:1]) {
		t.Errorf("window center %v", got)
	}
	drawn := d.Find(0x00700001).Items
	if len(drawn) != 5 {
		t.Fatalf("%d drawings, want those of all marks but the key image", len(drawn))
	}
	for i, want := range []struct {
		kind, words string
		points      []float64
	}{
		{"POLYLINE", "405.3 mm", []float64{100, 100, 400, 500}},
		{"POLYLINE", "90.0 deg", []float64{0, 0, 10, 0, 10, 10}},
		{"ELLIPSE", "412.8 mm2\r\n-612.5 ± 31.2 HU\r\n实性结节", []float64{20, 10, 20, 50, 10, 30, 30, 30}},
		{"POLYLINE", "657.0 mm2", []float64{0, 0, 100, 0, 100, 10, 0, 10, 0, 0}},
		{"POLYLINE", "", []float64{5, 6, 50, 60}},
	} {
		shape := drawn[i].Find(0x00700009).Items[0]
		if got := floatsOf(shape.Find(0x00700022)); shape.Text(0x00700023) != want.kind || !slices.Equal(got, want.points) {
			t.Errorf("%s: %s %v, want %s %v", r.Marks[i].Tool, shape.Text(0x00700023), got, want.kind, want.points)
		}
		words := ""
		if e := drawn[i].Find(0x00700008); e != nil {
			words = e.Items[0].Text(0x00700006)
		}
		if words != want.words {
			t.Errorf("%s: %q, want %q", r.Marks[i].Tool, words, want.words)
		}
	}
	again, err := r.Presentations()
	if first, _ := r.Presentations(); err != nil || !bytes.Equal(first[0], again[0]) {
		t.Errorf("the same marks are other bytes: %v", err)
	}
}

// dcmtk checks presentation states for conformance and reads reports; tools/need.sh installs it.
func TestDcmtkFindsNoFault(t *testing.T) {
	r := aReport(t)
	states, err := r.Presentations()
	if err != nil {
		t.Fatal(err)
	}
	measured, err := r.Measurements()
	if err != nil {
		t.Fatal(err)
	}
	for program, file := range map[string][]byte{"dcmpschk": states[0], "dsrdump": measured} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		said, err := exec.Command(program, "-v", path).CombinedOutput()
		if bad := strings.Contains(string(said), "\nE: ") || strings.Contains(string(said), "\nF: ") || strings.Contains(string(said), "Error"); err != nil || bad {
			t.Errorf("%s: %v\n%s", program, err, said)
		}
	}
}

func TestImagesOfAnotherWayToGreyHaveAStateOfTheirOwn(t *testing.T) {
	r := aReport(t)
	r.More = func(n int) string { return "2.25.11" + string(rune('0'+n)) }
	for _, name := range []string{"../testdata/transfer-syntaxes/MR_small.dcm", "../testdata/transfer-syntaxes/SC_rgb_jpeg_dcmtk.dcm"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Read(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		sop := f.Data.Text(SOPInstanceUID)
		r.Images[sop] = f
		r.Marks = append(r.Marks, ReportMark{UID: "2.25.9", SOP: sop, Frame: 1, Tool: "length", Points: [][2]float64{{0, 0}, {3, 4}}, Author: "李明远"})
	}
	all := states(t, r)
	if len(all) != 2 || all[0].Data.Text(SOPInstanceUID) == all[1].Data.Text(SOPInstanceUID) {
		t.Fatalf("%d states, want one for CT and one for MR, none for colour", len(all))
	}
	if all[1].Data.Find(rescaleSlope) != nil || len(all[1].Data.Find(0x00700001).Items) != 1 {
		t.Error("the MR's state has the CT's rescale or marks")
	}
	r.Marks = r.Marks[5:6]
	if none := states(t, r); none != nil {
		t.Errorf("a key image alone makes %d states", len(none))
	}
}
