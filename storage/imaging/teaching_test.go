package imaging

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"slices"
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
			if was.Pixels != nil {
				frames -= len(was.Pixels.Frames)
			}
			for _, tag := range []dicom.Tag{dicom.SOPInstanceUID, dicom.StudyInstanceUID, dicom.SeriesInstanceUID, dicom.PatientName, dicom.PatientID, dicom.AccessionNumber} {
				if s := was.Data.Text(tag); len(s) > 5 && slices.ContainsFunc(sent, func(raw []byte) bool { return says(raw, s) }) {
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
	// single pictures and loops whose bytes lie in ways of their own
	loop := dcmtk(t, files["multiframe/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm"], "dcmdjpeg")
	for n, make := range []func(raw []byte) []byte{
		func(raw []byte) []byte { return dcmtk(t, raw, "dcmconv", "+tb") }, // two bytes of samples to a word, the second first
		func(raw []byte) []byte { return dcmtk(t, raw, "dcmconv", "+td") },
		func(raw []byte) []byte { return dcmtk(t, raw, "dcmcrle") },
		func(raw []byte) []byte { return dcmtk(t, raw, "dcmcjpls", "+el") },
		func(raw []byte) []byte { return dcmtk(t, raw, "dcmcjpeg", "+eb") },
		func(raw []byte) []byte {
			raw, _ = inJPEG2000(t, raw, jpeg2000+"1", "opj_compress", []string{"-I", "-r", "6"})
			return raw
		},
		func(raw []byte) []byte {
			raw, _ = inJPEG2000(t, raw, htj2k+"1", "ojph_compress", []string{"-reversible", "true"})
			return raw
		},
	} {
		for m, base := range [][]byte{loop, files["colour/examples_palette.dcm"]} {
			uid := fmt.Sprintf("1.2.960.%d.%d", n, m)
			raw, err := dicom.Rewrite(base, map[dicom.Tag]string{dicom.StudyInstanceUID: uid, dicom.SeriesInstanceUID: uid + ".1", dicom.SOPInstanceUID: uid + ".1.1"})
			if err != nil {
				t.Fatal(err)
			}
			raw = make(raw)
			if a, _ := h.stow("county", raw); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			originals[uid] = [][]byte{raw}
		}
	}
	t.Run("what a box covers is blank and the rest is as it was, compressed or not; what nobody lets out stays", func(t *testing.T) {
		blanked, decoded, impossible := 0, 0, 0
		for study, raws := range originals {
			plan, all, seen := planned(study)
			if len(seen.Series) == 0 {
				continue
			}
			for i := range seen.Series {
				seen.Series[i].Masks = []dicom.Box{{X: 1, Y: 1, Width: 2, Height: 2}, {X: 5, Y: 0, Width: 3, Height: 65535}}
			}
			var out Teaching
			if err := json.Unmarshal(post("county", study, all).body, &out); err != nil {
				t.Fatal(err)
			}
			review := "teaching/" + out.ID.String() + "/review"
			a := send("neighbour", review, seen)
			if a.status == 422 && strings.Contains(string(a.body), "mask_impossible") {
				impossible++
				if a := send("neighbour", review, looked{[]TeachingVerdict{}}); a.status != 200 || len(plan) == len(seen.Series) && !strings.Contains(string(a.body), `"state":"refused"`) {
					t.Errorf("nothing let out: %d %s", a.status, a.body)
				}
				continue
			}
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			a = h.get("county", "/api/v1/imaging/teaching/"+out.ID.String(), "")
			z, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body)))
			if err != nil {
				t.Fatalf("%d %v", a.status, err)
			}
			if len(raws) > 1 { // which of them is which?
				continue
			}
			in, err := z.File[0].Open()
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			was, err := dicom.Read(bytes.NewReader(raws[0]))
			if err != nil {
				t.Fatal(err)
			}
			is, err := dicom.Read(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			blanked++
			said := func(f *dicom.File, t dicom.Tag) string { return f.Data.Text(t) }
			if !dicom.Native(was.TransferSyntax) {
				decoded++
				lossy := map[string]string{dicom.JPEG: "ISO_10918_1", dicom.JPEGExt: "ISO_10918_1", "1.2.840.10008.1.2.4.91": "ISO_15444_1"}[was.TransferSyntax]
				if lossy != "" && (said(is, 0x00282110) != "01" || said(is, 0x00282112) < "1" || !strings.Contains(strings.Join(is.Data.Texts(0x00282114), " "), lossy)) {
					t.Errorf("%s: lossy %q, by %q, %q", study, said(is, 0x00282110), said(is, 0x00282112), said(is, 0x00282114))
				}
				if lossy == "" && said(is, 0x00282110) != said(was, 0x00282110) {
					t.Errorf("%s: lossy %q was %q", study, said(is, 0x00282110), said(was, 0x00282110))
				}
				if kind := said(is, 0x00280004); strings.HasPrefix(kind, "YBR") && kind != "YBR_FULL" {
					t.Errorf("%s: colours as %s", study, kind)
				}
			}
			if was.TransferSyntax != dicom.ImplicitLE && is.TransferSyntax != dicom.ExplicitLE {
				t.Errorf("%s is in %s", study, is.TransferSyntax)
			}
			columns, rows, samples, allocated, err := is.Shape()
			if err != nil || len(is.Pixels.Frames) != len(was.Pixels.Frames) {
				t.Fatal(err, len(is.Pixels.Frames), len(was.Pixels.Frames))
			}
			if theirs, err := png.Decode(bytes.NewReader(dcmtk(t, raw, "dcmj2pnm", "+on", "+Wm"))); err != nil || theirs.Bounds() != image.Rect(0, 0, columns, rows) {
				t.Errorf("%s: dcmtk draws %v", study, err)
			} else if r, g, b, _ := theirs.At(1, 1).RGBA(); samples == 3 && r|g|b != 0 {
				t.Errorf("%s: dcmtk draws a box of %d, %d, %d", study, r>>8, g>>8, b>>8)
			}
			_, series, sop := uidsOf(t, raws[0])
			for n, runs := range is.Pixels.Frames {
				frame, width := raw[runs[0].Offset:][:runs[0].Length], allocated/8
				want := h.get("county", fmt.Sprintf("/dicomweb/studies/%s/series/%s/instances/%s/frames/%d", study, series, sop, n+1), octets)
				if want.status != 200 || len(want.body) != len(frame) {
					t.Fatalf("%s frame %d: %d, %d bytes, want %d", study, n+1, want.status, len(frame), len(want.body))
				}
				for at := range frame {
					pixel, sample := at/width/samples, at/width%samples
					if is.Data.Int(0x00280006, 0) == 1 && samples > 1 {
						pixel, sample = at/width%(rows*columns), at/width/(rows*columns)
					}
					x, y, now := pixel%columns, pixel/columns, want.body[at]
					if (x == 1 || x == 2) && (y == 1 || y == 2) || x >= 5 && x < 8 {
						now = 0
						if sample > 0 && said(is, 0x00280004) == "YBR_FULL" && at%width == width-1 {
							now = 0x80
						}
					}
					if frame[at] != now {
						t.Fatalf("%s (%s) frame %d at %d, %d: %d, want %d", study, was.TransferSyntax, n+1, x, y, frame[at], now)
					}
				}
			}
		}
		if blanked < 20 || decoded < 12 || impossible == 0 {
			t.Errorf("%d studies blanked, %d of them decoded, %d impossible: the test data don't say much", blanked, decoded, impossible)
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

// says reports whether the words stand in the file, not within a longer number: the new UIDs hold any digits.
func says(raw []byte, words string) bool {
	digit := func(at int) bool { return at >= 0 && at < len(raw) && raw[at] >= '0' && raw[at] <= '9' }
	for at := 0; ; at++ {
		n := bytes.Index(raw[at:], []byte(words))
		if n < 0 {
			return false
		}
		if at += n; !digit(at-1) && !digit(at+len(words)) {
			return true
		}
	}
}

// A name may lie as an overlay in bits that no picture shows.
func TestWhatNoPictureShowsStays(t *testing.T) {
	h := open(t, storagetest.New(t))
	send := func(who, at string, body any, want int, out any) {
		t.Helper()
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		a := h.call(who, "POST", "/api/v1/imaging/"+at, map[string]string{"Content-Type": "application/json"}, bytes.NewReader(b))
		if err := json.Unmarshal(a.body, out); a.status != want || err != nil {
			t.Fatalf("%s: %d %s", at, a.status, a.body)
		}
	}
	pixels := "\x01\xA0\xFF\x1F\x00\x80\x34\xF2" // 2 x 2 of 12 bits, with something above each
	raw := object(t, 800, picture(2, 2, 16, map[dicom.Tag]string{0x00280101: us(12), 0x00280102: us(11)}), "\xe0\x7f\x10\x00OW\x00\x00\x08\x00\x00\x00"+pixels)
	if a, _ := h.stow("county", raw); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	study, series, _ := uidsOf(t, raw)
	for _, c := range []struct {
		name  string
		masks []dicom.Box
		want  string
	}{
		{"nothing is blanked", nil, "\x01\x00\xFF\x0F\x00\x00\x34\x02"},
		{"one pixel is", []dicom.Box{{X: 1, Y: 0, Width: 1, Height: 1}}, "\x01\x00\x00\x00\x00\x00\x34\x02"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out Teaching
			send("county", "studies/"+study+"/teaching", map[string]any{"series": []TeachingChoice{{series, 1}}}, 201, &out)
			send("neighbour", "teaching/"+out.ID.String()+"/review", map[string]any{"series": []TeachingVerdict{{UID: series, Masks: c.masks}}}, 200, &out)
			a := h.get("county", "/api/v1/imaging/teaching/"+out.ID.String(), "")
			z, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body)))
			if err != nil || len(z.File) != 1 {
				t.Fatalf("%d %v", a.status, err)
			}
			in, err := z.File[0].Open()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(in)
			if err != nil || !bytes.HasSuffix(got, []byte(c.want)) {
				t.Errorf("%x, %v, want %x", got[max(0, len(got)-8):], err, c.want)
			}
		})
	}
}
