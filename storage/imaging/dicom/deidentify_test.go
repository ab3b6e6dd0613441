package dicom

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNothingOfThePatientIsLeft makes a file that names the patient wherever a file can.
func TestNothingOfThePatientIsLeft(t *testing.T) {
	private := []Element{{Tag: 0x00090010, VR: "LO", Value: []byte("ACME 1.0")}, {Tag: 0x00091001, VR: "LO", Value: []byte("WANG^XIAODONG ")}}
	inner := Dataset{Elements: append([]Element{text(PatientName, "Wang^Xiaodong=王^小东"), text(StudyInstanceUID, "1.2.3.4"), text(0x00081155, "1.2.3.4.5"),
		text(0x00081150, "1.2.840.10008.5.1.4.1.1.2"), text(0x00080104, "seen by Xiaodong")}, private...)}
	data := Dataset{Order: binary.LittleEndian, Elements: append([]Element{
		text(SpecificCharacterSet, "ISO_IR 192"), text(SOPClassUID, "1.2.840.10008.5.1.4.1.1.2"), text(SOPInstanceUID, "1.2.3.4.5"),
		text(StudyDate, "20260115"), text(StudyTime, "101112"), text(AccessionNumber, "ACC778899"), text(Modality, "CT"),
		text(InstitutionName, "安宁县人民医院"), text(ReferringPhysician, "李^医生"), text(StudyDescription, "胸部平扫 王小东 CHEST"),
		text(SeriesDescription, "AX CHEST 5.0mm for Xiaodong"), text(0x00081090, "LightSpeed"), text(0x00081010, "CTROOM7"), sequenceOf(0x00081140, inner),
		text(PatientName, "Wang^Xiaodong=王^小东"), text(PatientID, "PID556677"), text(PatientBirthDate, "19700203"), text(PatientSex, "M"),
		text(0x00101010, "055Y"), text(0x00104000, "call 13800001111"), text(0x0018A001, ""), text(StudyInstanceUID, "1.2.3.4"),
		text(SeriesInstanceUID, "1.2.3.4.1"), text(InstanceNumber, "1"), text(0x00204000, "小东"), {Tag: Rows, VR: "US", Value: []byte{1, 0}},
		{Tag: Columns, VR: "US", Value: []byte{1, 0}}, {Tag: BitsAllocated, VR: "US", Value: []byte{16, 0}},
		{Tag: samplesPerPixel, VR: "US", Value: []byte{1, 0}}, {Tag: 0x60003000, VR: "OW", Value: []byte("WANG")},
		{Tag: PixelData, VR: "OW", Value: []byte{1, 2}},
	}, private...)}
	head, err := fileHead(Dataset{Order: binary.LittleEndian}, map[Tag]string{TransferSyntaxUID: ExplicitLE, MediaStorageSOPClassUID: "1.2.840.10008.5.1.4.1.1.2", MediaStorageSOPInstanceUID: "1.2.3.4.5"})
	if err != nil {
		t.Fatal(err)
	}
	e := encoder{out: head, explicit: true}
	if err := e.dataset(data, charset{}, nil); err != nil {
		t.Fatal(err)
	}
	made := deidentified(t, e.out, "key")
	for _, word := range []string{"Wang", "WANG", "Xiaodong", "王", "小东", "PID556677", "ACC778899", "安宁", "李", "1.2.3.4", "20260115", "101112", "19700203", "055Y", "138", "CTROOM7", "ACME"} {
		if bytes.Contains(made, []byte(word)) {
			t.Errorf("%q is left", word)
		}
	}
	f, err := Read(bytes.NewReader(made))
	if err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[Tag]string{SeriesDescription: "AX CHEST 5.0MM", StudyDescription: "胸部 平扫 CHEST", PatientSex: "", 0x00081090: "LightSpeed",
		0x00120062: "YES", burnedIn: "NO", Modality: "CT", SOPClassUID: "1.2.840.10008.5.1.4.1.1.2"} {
		if got := f.Data.Text(tag); got != want {
			t.Errorf("(%s) is %q, want %q", tag, got, want)
		}
	}
	if f.Data.Text(SOPInstanceUID) != f.Meta.Text(MediaStorageSOPInstanceUID) {
		t.Error("head and data set name different objects")
	}
	ref := f.Data.Find(0x00081140)
	if ref == nil || ref.Items[0].Text(0x00081155) != f.Data.Text(SOPInstanceUID) || ref.Items[0].Text(StudyInstanceUID) != f.Data.Text(StudyInstanceUID) {
		t.Error("UIDs don't agree inside the file")
	}
	if day := f.Data.Text(StudyDate); len(day) != 8 || day >= "20250116" || day < "20160101" {
		t.Errorf("the study's day is %q", day)
	}
	if again := deidentified(t, e.out, "key"); !bytes.Equal(again, made) {
		t.Error("the same key gives another file")
	}
	if other := deidentified(t, e.out, "other"); bytes.Contains(other, []byte(f.Data.Text(StudyInstanceUID))) {
		t.Error("another key gives the same UIDs")
	}
}

func TestNotesInsideAPictureAreBlank(t *testing.T) {
	const note = "Wang Xiaodong"
	segment := func(marker byte, s string) string {
		return string([]byte{0xFF, marker, 0, byte(len(s) + 2)}) + s
	}
	box := func(kind, s string) string { return string([]byte{0, 0, 0, byte(8 + len(s))}) + kind + s }
	jpeg := "\xFF\xD8" + segment(0xE0, "JFIF") + segment(0xE1, "Exif"+note) + segment(0xFE, note) + segment(0xDA, "picture") + "picture"
	stream := "\xFF\x4F" + segment(0x51, "size") + segment(0x64, "\x00\x01"+note) + segment(0x90, "tile") + "picture"
	file := box("jP  ", "\r\n\x87\n") + box("xml ", "<p>"+note+"</p>") + box("jp2h", "colours") + "\x00\x00\x00\x01uuid\x00\x00\x00\x00\x00\x00\x00\x1D" + note + box("jp2c", stream)
	for _, c := range []string{jpeg, stream, file, file[:30], box("jP  ", "") + "\x00\x00\x00\x00xml " + note} {
		b := []byte(c)
		BlankNotes(b)
		if bytes.Contains(b, []byte("Wang")) || bytes.Count(b, []byte("picture")) != strings.Count(c, "picture") || bytes.Count(b, []byte("colours")) != strings.Count(c, "colours") {
			t.Errorf("%q became %q", c, b)
		}
	}
}

// TestEveryPictureDeidentifies holds all sound test files to it: they stay readable, with the pixels byte for byte and
// no UID or patient's name of before.
func TestEveryPictureDeidentifies(t *testing.T) {
	done := 0
	err := filepath.WalkDir("../testdata", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".dcm") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		before, err := Read(bytes.NewReader(raw))
		if err != nil || before.Pixels == nil || before.Data.Order != binary.LittleEndian || before.TransferSyntax == DeflatedLE {
			return nil
		}
		made := deidentified(t, raw, "key")
		after, err := Read(bytes.NewReader(made))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		if len(after.Pixels.Frames) != len(before.Pixels.Frames) || !bytes.Equal(made[after.Pixels.Element:], raw[before.Pixels.Element:]) {
			t.Errorf("%s: other pixels", path)
		}
		for _, tag := range []Tag{SOPInstanceUID, StudyInstanceUID, SeriesInstanceUID, PatientName, PatientID} {
			if was := before.Data.Text(tag); len(was) > 5 && bytes.Contains(made[:after.Pixels.Element], []byte(was)) {
				t.Errorf("%s: (%s) %q is left", path, tag, was)
			}
		}
		done++
		return nil
	})
	if err != nil || done < 30 {
		t.Fatalf("%d files, %v", done, err)
	}
}

func deidentified(t *testing.T, raw []byte, key string) []byte {
	t.Helper()
	f, err := Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	head, err := f.Deidentify([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return append(head, raw[f.Pixels.Element:]...)
}
