package imaging

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"yuanzhen/storage/imaging/dicom"
	"yuanzhen/storage/storagetest"
)

// TestAStudyGoesOutForTeachingWithoutItsPatient stores pictures of every syntax and lets each study out.
func TestAStudyGoesOutForTeachingWithoutItsPatient(t *testing.T) {
	h := open(t, storagetest.New(t))
	originals := map[string][][]byte{} // by study
	for name, raw := range files {
		if strings.HasPrefix(name, "corrupt/") {
			continue
		}
		if f, err := dicom.Read(bytes.NewReader(raw)); err == nil && dicom.ValidUID(f.Data.Text(dicom.StudyInstanceUID)) {
			if r, err := h.service.Store(t.Context(), h.county, bytes.NewReader(raw)); err == nil && r.Stored {
				originals[r.Study] = append(originals[r.Study], raw)
			}
		}
	}
	send := func(who, at string, body any) answer {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return h.call(who, "POST", "/api/v1/imaging/"+at, map[string]string{"Content-Type": "application/json"}, bytes.NewReader(b))
	}
	type asked struct {
		Series []TeachingChoice `json:"series"`
	}
	type looked struct {
		Series []TeachingVerdict `json:"series"`
	}
	post := func(who, study string, body asked) answer { return send(who, "studies/"+study+"/teaching", body) }
	planned := func(study string) (plan []TeachingSeries, all asked, seen looked) {
		t.Helper()
		a := h.get("county", "/api/v1/imaging/studies/"+study+"/teaching", "")
		if err := json.Unmarshal(a.body, &plan); err != nil || a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		for _, s := range plan {
			all.Series = append(all.Series, TeachingChoice{s.UID, s.Objects})
			if s.Review && s.Objects > 0 {
				seen.Series = append(seen.Series, TeachingVerdict{UID: s.UID})
			}
		}
		return plan, all, seen
	}
	made, reviewed, documents := 0, 0, 0
	ct, _, _ := uidsOf(t, files["ct-series-3/01.dcm"])
	var out, last Teaching // last is of the CT
	for study, raws := range originals {
		plan, all, seen := planned(study)
		pictures, frames := 0, 0
		for _, s := range plan {
			pictures, documents = pictures+s.Objects, documents+s.LeftOut
			if s.Modality == "US" && !s.Review {
				t.Errorf("ultrasound %s goes out without having been looked at", s.UID)
			}
		}
		a := post("county", study, all)
		if pictures == 0 {
			if a.status != 422 {
				t.Errorf("a study without pictures: %d %s", a.status, a.body)
			}
			continue
		}
		if err := json.Unmarshal(a.body, &out); err != nil || a.status != 201 || out.Objects != pictures {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if at := "/api/v1/imaging/teaching/" + out.ID.String(); len(seen.Series) > 0 {
			reviewed++
			if a := h.get("county", at, ""); a.status != 409 || !strings.Contains(string(a.body), "review_pictures_first") {
				t.Errorf("nobody has looked: %d %s", a.status, a.body)
			}
			if a := send("county", "teaching/"+out.ID.String()+"/review", seen); a.status != 403 && a.status != 422 || !strings.Contains(string(a.body), "second_person") {
				t.Errorf("who asks looks: %d %s", a.status, a.body)
			}
			if a := send("neighbour", "teaching/"+out.ID.String()+"/review", seen); a.status != 200 {
				t.Fatalf("the second person: %d %s", a.status, a.body)
			}
			if a := send("neighbour", "teaching/"+out.ID.String()+"/review", seen); a.status != 409 {
				t.Errorf("looked through twice: %d", a.status)
			}
		}
		if study == ct {
			last = out
		}
		a = h.get("county", "/api/v1/imaging/teaching/"+out.ID.String(), "")
		z, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body)))
		if err != nil || a.status != 200 || len(z.File) != pictures {
			t.Fatalf("%d %v", a.status, err)
		}
		studies := map[string]bool{}
		var sent [][]byte
		for _, f := range z.File {
			in, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, raw)
			file, err := dicom.Read(bytes.NewReader(raw))
			if err != nil {
				t.Fatalf("%s of %s: %v", f.Name, study, err)
			}
			studies[file.Data.Text(dicom.StudyInstanceUID)] = true
			frames += len(file.Pixels.Frames)
			for _, tag := range []dicom.Tag{dicom.PatientName, dicom.PatientID} {
				if !strings.HasPrefix(file.Data.Text(tag), "TEACHING^") {
					t.Errorf("%s is %q", tag, file.Data.Text(tag))
				}
			}
		}
		if len(studies) != 1 {
			t.Errorf("one study became %d", len(studies))
		}
		for _, raw := range raws {
			was, err := dicom.Read(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if was.Pixels != nil && was.TransferSyntax != dicom.DeflatedLE && was.TransferSyntax != dicom.ExplicitBE {
				frames -= len(was.Pixels.Frames)
			}
			for _, tag := range []dicom.Tag{dicom.SOPInstanceUID, dicom.StudyInstanceUID, dicom.SeriesInstanceUID, dicom.PatientName, dicom.PatientID, dicom.AccessionNumber} {
				if s := was.Data.Text(tag); len(s) > 5 && bytes.Contains(bytes.Join(sent, nil), []byte(s)) {
					t.Errorf("%s %q is left", tag, s)
				}
			}
		}
		if frames != 0 {
			t.Errorf("%s: %d frames more or less went out", study, frames)
		}
		made++
	}
	if made < 5 || reviewed < 5 || documents == 0 {
		t.Errorf("%d studies, %d of them to be looked at, %d documents: the test data don't say much", made, reviewed, documents)
	}
	t.Run("another hospital and a patient get nothing", func(t *testing.T) {
		_, all, seen := planned(last.Study)
		for who, want := range map[string]int{"expert": 404, "patient": 403, "": 401} {
			for _, a := range []answer{h.get(who, "/api/v1/imaging/studies/"+last.Study+"/teaching", ""), post(who, last.Study, all),
				send(who, "teaching/"+last.ID.String()+"/review", seen),
				h.get(who, "/api/v1/imaging/teaching/"+last.ID.String(), "")} {
				if a.status != want {
					t.Errorf("%s: %d %s, want %d", who, a.status, a.body, want)
				}
			}
		}
	})
	t.Run("what a box covers is blank, what nobody lets out stays, compressed pictures aren't blanked", func(t *testing.T) {
		native, compressed := 0, 0
		for study := range originals {
			plan, all, seen := planned(study)
			if len(seen.Series) == 0 {
				continue
			}
			for i := range seen.Series {
				seen.Series[i].Masks = []dicom.Box{{X: 0, Y: 0, Width: 65535, Height: 65535}}
			}
			var out Teaching
			if err := json.Unmarshal(post("county", study, all).body, &out); err != nil {
				t.Fatal(err)
			}
			review := "teaching/" + out.ID.String() + "/review"
			a := send("neighbour", review, seen)
			if a.status == 422 {
				compressed++
				if a := send("neighbour", review, looked{[]TeachingVerdict{}}); a.status != 200 || len(plan) == len(seen.Series) && !strings.Contains(string(a.body), `"state":"refused"`) {
					t.Errorf("nothing let out: %d %s", a.status, a.body)
				}
				continue
			}
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			native++
			a = h.get("county", "/api/v1/imaging/teaching/"+out.ID.String(), "")
			z, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body)))
			if err != nil {
				t.Fatalf("%d %v", a.status, err)
			}
			if len(plan) > len(seen.Series) { // other series are as they were
				continue
			}
			for _, f := range z.File {
				in, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				raw, err := io.ReadAll(in)
				if err != nil {
					t.Fatal(err)
				}
				file, err := dicom.Read(bytes.NewReader(raw))
				if err != nil {
					t.Fatal(err)
				}
				for _, frame := range file.Pixels.Frames {
					for _, run := range frame {
						if pixels := raw[run.Offset : run.Offset+run.Length]; bytes.Count(pixels, []byte{0}) != len(pixels) {
							t.Fatalf("%s of %s shows something", f.Name, study)
						}
					}
				}
			}
		}
		if native == 0 || compressed == 0 {
			t.Errorf("%d studies blanked, %d compressed: the test data don't say much", native, compressed)
		}
	})
	t.Run("a picture that came after the look doesn't go out", func(t *testing.T) {
		_, all, _ := planned(last.Study)
		one := originals[last.Study][0]
		h.now = h.now.Add(time.Minute)
		more, err := dicom.Rewrite(one, map[dicom.Tag]string{dicom.SOPInstanceUID: "1.2.3.4.5.6"})
		if err != nil {
			t.Fatal(err)
		}
		h.stow("county", more)
		if a := post("county", last.Study, all); a.status != 409 {
			t.Errorf("a new export: %d %s", a.status, a.body)
		}
		a := h.get("county", "/api/v1/imaging/teaching/"+last.ID.String(), "")
		if z, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body))); err != nil || len(z.File) != last.Objects {
			t.Errorf("the export has other pictures now: %v", err)
		}
	})
	t.Run("it leaves its trace, and ends", func(t *testing.T) {
		var n int
		if err := h.service.DB.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = 'imaging.teach' AND outcome = 'done' AND reason LIKE '%' || $1 || '%'`,
			last.ID.String()).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d entries, %v", n, err)
		}
		h.now = h.now.Add(25 * time.Hour)
		if a := h.get("county", "/api/v1/imaging/teaching/"+last.ID.String(), ""); a.status != 410 {
			t.Errorf("a day later: %d", a.status)
		}
		if a := h.get("county", fmt.Sprintf("/api/v1/imaging/teaching/%s", "no"), ""); a.status != 404 {
			t.Errorf("no id: %d", a.status)
		}
	})
}
