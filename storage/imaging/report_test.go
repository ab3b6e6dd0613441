package imaging

import (
	"bytes"
	"testing"
	"time"

	"yuanzhen/storage/imaging/dicom"
	"yuanzhen/storage/storagetest"
)

func TestAReportSpeaksOfWhatHasNoPixels(t *testing.T) {
	h := open(t, storagetest.New(t))
	for _, name := range []string{"other/encapsulated_pdf.dcm", "other/ecg12_synthetic.dcm"} {
		t.Run(name, func(t *testing.T) {
			raw := files[name]
			if r, err := h.service.Store(t.Context(), h.county, bytes.NewReader(raw)); err != nil || !r.Stored {
				t.Fatalf("%+v %v", r, err)
			}
			study, _, sop := uidsOf(t, raw)
			report := func(n string) dicom.Report {
				uid := "1.2.3." + n + sop[len(sop)-2:]
				return dicom.Report{Series: uid, SOP: uid + ".1", More: func(int) string { return uid + ".2" }, Author: "Li^Wei", Institution: "C", At: time.Now(),
					Marks: []dicom.ReportMark{{UID: "1.2.4", SOP: sop, Frame: 1, Tool: "key", Author: "Li^Wei"}}}
			}
			keys := report("2")
			if err := h.service.KeepReport(t.Context(), h.county, study, report("1"), keys, report("3")); err != nil {
				t.Fatal(err)
			}
			if a := h.get("county", "/dicomweb/studies/"+study+"/series/"+keys.Series+"/metadata", jsonType); a.status != 200 || !bytes.Contains(a.body, []byte(sop)) {
				t.Errorf("key images: %d %s", a.status, a.body)
			}
		})
	}
}
