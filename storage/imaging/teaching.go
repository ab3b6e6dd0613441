package imaging

import (
	"archive/zip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
	"yuanzhen/storage/imaging/dicom"
)

// Teaching is a study, or some series of it, that a doctor lets out without whose it is (dicom.Deidentify). Attributes
// are changed by rule; pictures are looked at by a person, series by series, where text may be burned into them. The
// files are made when they are fetched, by a key that only this export has: two exports of a patient can't be joined.
type Teaching struct {
	ID      teachingID `json:"id"`
	Study   string     `json:"study_uid"`
	Series  []string   `json:"series" doc:"UIDs, as they are in the archive"`
	Objects int        `json:"objects"`
	Until   time.Time  `json:"until" doc:"how long it can be fetched"`
}

type teachingID = ids.ID[Teaching]

// teachingLife is how long an export can be fetched: later it would show what has been added or found since.
const teachingLife = 24 * time.Hour

// TeachingSeries is what a doctor decides about.
type TeachingSeries struct {
	UID         string `json:"series_uid"`
	Modality    string `json:"modality"`
	Description string `json:"description"`
	Objects     int    `json:"objects" doc:"pictures that would go out"`
	LeftOut     int    `json:"left_out" doc:"reports, documents and other objects that can't be de-identified"`
	Review      bool   `json:"review" doc:"somebody has to look through all pictures for text that names a person"`
}

// TeachingChoice is a series that is to go out.
type TeachingChoice struct {
	UID     string `json:"series_uid" maxLength:"64"`
	Objects int    `json:"objects" doc:"how many pictures there were: more have to be looked through anew"`
	Seen    bool   `json:"seen" doc:"all its pictures were looked through, and no text in them names anybody"`
}

var (
	reviewFirst = fault.New(fault.Invalid, "review_pictures_first", "有的序列可能把姓名等文字印在画面里，须先逐幅看过。", "Some of these series may have names in their pictures; somebody has to look through them first.").
			WithRemedy("请看过该序列的所有画面并确认没有文字，或不要选它。", "Please look through all pictures of the series and confirm that there is no text, or leave it out.")
	seriesChanged = fault.New(fault.Conflict, "series_changed", "这个序列的影像数量变了。", "The series has other pictures now.").
			WithRemedy("请刷新后重新看过再导出。", "Please refresh and look through it again.")
	nothingToTeach = fault.New(fault.Invalid, "nothing_to_teach", "所选序列里没有可以去标识的影像。", "There is no picture in these series that can be de-identified.").
			WithRemedy("请选择有影像的序列；报告和文档不能导出。", "Please choose series with pictures; reports and documents can't be let out.")
	teachingGone = fault.New(fault.Gone, "teaching_gone", "这次导出已过 24 小时。", "This export was made more than 24 hours ago.").
			WithRemedy("请重新导出。", "Please make it again.")
)

func (s *Service) teachingRoutes(api *httpapi.API) {
	const study = "/api/v1/imaging/studies/{study}/teaching"
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: study, Action: "imaging.teach",
		Summary: "What of a study could go out for teaching, and what has to be looked through before"}, s.planTeaching)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: study, Action: "imaging.teach", Status: http.StatusCreated,
		Summary: "Let series of a study out, de-identified by PS3.15"}, s.makeTeaching)
	httpapi.Raw(api, httpapi.Op{Method: "GET", Path: "/api/v1/imaging/teaching/{id}", Action: "imaging.teach",
		Summary: "Fetch what was let out, as a zip archive"}, s.serveTeaching)
}

type teachingIn struct {
	Study string `path:"study" maxLength:"64"`
}

type teachingPlan struct{ Body []TeachingSeries }

func (s *Service) planTeaching(ctx context.Context, in *teachingIn) (*teachingPlan, error) {
	series, err := s.plan(ctx, in.Study)
	return &teachingPlan{series}, err
}

type teachIn struct {
	Study string `path:"study" maxLength:"64"`
	Body  struct {
		Series []TeachingChoice `json:"series" minItems:"1" maxItems:"500"`
	}
}

type teachOut struct{ Body Teaching }

func (s *Service) makeTeaching(ctx context.Context, in *teachIn) (*teachOut, error) {
	series, err := s.plan(ctx, in.Study)
	if err != nil {
		return nil, err
	}
	out := &teachOut{Teaching{ID: ids.New[teachingID](), Study: in.Study, Until: s.Now().Add(teachingLife)}}
	seen := []string{}
	for _, chosen := range in.Body.Series {
		i := slices.IndexFunc(series, func(t TeachingSeries) bool { return t.UID == chosen.UID })
		if i < 0 {
			return nil, fault.Missing()
		}
		if slices.Contains(out.Body.Series, chosen.UID) || series[i].Objects == 0 {
			continue
		}
		if series[i].Objects != chosen.Objects {
			return nil, seriesChanged.With(map[string]string{"series_uid": chosen.UID})
		}
		if series[i].Review && !chosen.Seen {
			return nil, reviewFirst.With(map[string]string{"series_uid": chosen.UID})
		}
		out.Body.Series, out.Body.Objects = append(out.Body.Series, chosen.UID), out.Body.Objects+series[i].Objects
		if chosen.Seen {
			seen = append(seen, chosen.UID)
		}
	}
	if out.Body.Objects == 0 {
		return nil, nothingToTeach
	}
	return out, s.insertTeaching(ctx, out.Body, seen)
}

// plan reads what the asker's hospital holds of a study.
func (s *Service) plan(ctx context.Context, study string) ([]TeachingSeries, error) {
	if !dicom.ValidUID(study) {
		return nil, badUID
	}
	all, err := s.taught(ctx, study)
	if err != nil {
		return nil, err
	}
	series := []TeachingSeries{}
	for _, i := range all {
		n := slices.IndexFunc(series, func(t TeachingSeries) bool { return t.UID == i.Series })
		value, err := i.said()
		if err != nil {
			return nil, err
		}
		if n < 0 {
			n = len(series)
			series = append(series, TeachingSeries{UID: i.Series, Modality: value(dicom.Modality), Description: value(dicom.SeriesDescription)})
		}
		if !i.teachable() {
			series[n].LeftOut++
			continue
		}
		series[n].Objects++
		series[n].Review = series[n].Review || dicom.MayShowText(value)
	}
	return series, nil
}

// teachable reports whether dicom.Deidentify takes the object.
func (i instance) teachable() bool {
	return len(i.FrameIndex) > 0 && i.TransferSyntax != dicom.DeflatedLE && i.TransferSyntax != dicom.ExplicitBE
}

// said gives single values of the stored metadata.
func (i instance) said() (func(dicom.Tag) string, error) {
	doc, err := unpackJSON(i.DICOMJSON, "")
	if err != nil {
		return nil, err
	}
	var all map[string]struct{ Value []any }
	if err := json.Unmarshal(doc, &all); err != nil {
		return nil, fmt.Errorf("stored DICOM JSON: %w", err)
	}
	return func(t dicom.Tag) string {
		if v := all[t.String()].Value; len(v) > 0 {
			return fmt.Sprint(v[0])
		}
		return ""
	}, nil
}

// serveTeaching makes the files while they are sent, one at a time.
func (s *Service) serveTeaching(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[teachingID](r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	all, err := s.fetchTeaching(r.Context(), id)
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, s.Signer.Seed())
	fmt.Fprintf(mac, "teaching\x00%s", id)
	key := mac.Sum(nil)
	guard(w)
	w.Header().Set("Content-Type", zipType)
	w.Header().Set("Content-Disposition", `attachment; filename="teaching.zip"`)
	if r.Method == http.MethodHead {
		return nil
	}
	if err := unhurried(w); err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for n, i := range all {
		out, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%06d.dcm", n+1), Method: zip.Store})
		if err != nil {
			return err
		}
		if err := s.disguised(r.Context(), out, i, key); err != nil {
			return err
		}
	}
	return z.Close()
}

// disguised sends an object with another head, and of what follows the pixel element alone: what lies behind it, such
// as signatures, names people again.
func (s *Service) disguised(ctx context.Context, w io.Writer, i instance, key []byte) error {
	f, err := s.opened(ctx, i)
	if err != nil {
		return err
	}
	file, err := f.head()
	if err != nil {
		return err
	}
	file.Pixels = &dicom.Pixels{Element: i.Head}
	head, err := file.Deidentify(key)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	body, err := s.Objects.Get(ctx, i.ObjectKey, i.Head, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	if dicom.Native(i.TransferSyntax) {
		at := 8 // tag, type and two bytes before the length (PS3.5 §7.1.2)
		if i.TransferSyntax == dicom.ImplicitLE {
			at = 4
		}
		begin := make([]byte, at+4)
		if _, err = io.ReadFull(body, begin); err != nil {
			return err
		}
		if _, err = w.Write(begin); err == nil {
			_, err = io.CopyN(w, body, int64(binary.LittleEndian.Uint32(begin[at:])))
		}
		return err
	}
	at := i.Head
	for _, frame := range i.FrameIndex {
		for n, run := range frame {
			if run.Offset < at || run.Length > maxFrame {
				return errors.New("fragments of a picture lie out of order or are too large")
			}
			if _, err := io.CopyN(w, body, run.Offset-at); err != nil {
				return err
			}
			b := make([]byte, run.Length)
			if _, err := io.ReadFull(body, b); err != nil {
				return err
			}
			if n == 0 {
				dicom.BlankNotes(b)
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
			at = run.Offset + run.Length
		}
	}
	_, err = w.Write([]byte{0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0})
	return err
}
