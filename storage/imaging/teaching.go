package imaging

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
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

// Teaching is a study, or some series of it, that a doctor asks to let out without whose it is (dicom.Deidentify). Attributes
// are changed by rule; where text may be burned into pictures, a second person looks through them, series by series, blanks
// what names somebody, and lets each series out or not. The files are made when they are fetched, by a key that only this export
// has: two exports of a patient can't be joined.
type Teaching struct {
	ID       teachingID `json:"id"`
	State    string     `json:"state" enum:"asked,ready,refused,ended" doc:"asked: a second person has to look through pictures first"`
	Study    string     `json:"study_uid"`
	Series   []string   `json:"series" doc:"UIDs, as they are in the archive"`
	Review   []string   `json:"review" doc:"UIDs of the series that have to be looked through"`
	Objects  int        `json:"objects"`
	Asked    string     `json:"asked_by"`
	AskedAt  time.Time  `json:"asked_at"`
	Reviewer string     `json:"reviewed_by,omitempty"`
	Mine     bool       `json:"mine" doc:"asked by whoever reads this: somebody else has to look"`
	Until    time.Time  `json:"until" doc:"how long it can be looked through, or fetched"`

	seen  []string
	masks map[string][]dicom.Box
}

type teachingID = ids.ID[Teaching]

const (
	teachingLife  = 24 * time.Hour     // how long an export can be fetched: later it would show what has been added or found since
	teachingWaits = 7 * 24 * time.Hour // how long it may wait for the second person
)

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
}

// TeachingVerdict is a series that the second person has looked through and lets out.
type TeachingVerdict struct {
	UID   string      `json:"series_uid" maxLength:"64"`
	Masks []dicom.Box `json:"masks,omitempty" maxItems:"20" doc:"blanked in every picture of the series; compressed ones then go out uncompressed"`
}

var (
	reviewFirst = fault.New(fault.Conflict, "review_pictures_first", "画面里可能印着姓名等文字，要由另一个人先逐幅看过。", "There may be names in these pictures; a second person has to look through them first.").
			WithRemedy("请本院另一位医生在“教学导出”里看过。", "Let another doctor of the hospital look through them under Teaching.")
	secondPerson = fault.New(fault.Refused, "second_person", "申请导出的人不能自己审画面。", "Who asked for the export can't look through it for the hospital.").
			WithRemedy("请本院另一位医生审。", "Let another doctor of the hospital do it.")
	alreadyReviewed = fault.New(fault.Conflict, "already_reviewed", "这次导出已经审过了。", "This export has been looked through already.").
			WithRemedy("请刷新页面。", "Please refresh.")
	maskImpossible = fault.New(fault.Invalid, "mask_impossible", "这个序列的画面解不开，不能遮盖。", "Pictures of this series can't be decoded, so they can't be blanked.").
			WithRemedy("画面里有姓名的，请不要放行这个序列。", "Don't let the series out if it shows a name.")
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
		Summary: "Ask to let series of a study out, de-identified by PS3.15"}, s.makeTeaching)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/imaging/teaching", Action: "imaging.teach",
		Summary: "What the own hospital was asked to let out for teaching, the newest first"}, s.listTeaching)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/imaging/teaching/{id}/review", Action: "imaging.teach",
		Summary: "Let series out that were looked through, by somebody other than who asked"}, s.reviewTeaching)
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
	t := Teaching{ID: ids.New[teachingID](), Study: in.Study, Review: []string{}}
	for _, chosen := range in.Body.Series {
		i := slices.IndexFunc(series, func(t TeachingSeries) bool { return t.UID == chosen.UID })
		if i < 0 {
			return nil, fault.Missing()
		}
		if slices.Contains(t.Series, chosen.UID) || series[i].Objects == 0 {
			continue
		}
		if series[i].Objects != chosen.Objects {
			return nil, seriesChanged.With(map[string]string{"series_uid": chosen.UID})
		}
		t.Series, t.Objects = append(t.Series, chosen.UID), t.Objects+series[i].Objects
		if series[i].Review {
			t.Review = append(t.Review, chosen.UID)
		}
	}
	if t.Objects == 0 {
		return nil, nothingToTeach
	}
	t, err = s.insertTeaching(ctx, t)
	return &teachOut{t}, err
}

type teachingList struct{ Body []Teaching }

func (s *Service) listTeaching(ctx context.Context, _ *struct{}) (*teachingList, error) {
	list, err := s.teachings(ctx)
	return &teachingList{list}, err
}

type reviewTeachingIn struct {
	ID   teachingID `path:"id"`
	Body struct {
		Series []TeachingVerdict `json:"series" maxItems:"500" doc:"Those that may go out; the others that need a look stay"`
	}
}

func (s *Service) reviewTeaching(ctx context.Context, in *reviewTeachingIn) (*teachOut, error) {
	t, err := s.settleTeaching(ctx, in.ID, in.Body.Series)
	return &teachOut{t}, err
}

// out lists the series that go out: those that need no look, and those that somebody has let out.
func (t *Teaching) out() []string {
	return slices.DeleteFunc(slices.Clone(t.Series), func(uid string) bool {
		return slices.Contains(t.Review, uid) && !slices.Contains(t.seen, uid)
	})
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
func (i instance) teachable() bool { return len(i.FrameIndex) > 0 }

// maskable reports whether what names somebody can be blanked in its pictures.
func (s *Service) maskable(i instance) bool {
	value, err := i.said()
	return err == nil && (dicom.Native(i.TransferSyntax) || s.decodes(i.TransferSyntax)) && dicom.Blankable(i.TransferSyntax, len(i.FrameIndex), value)
}

// said gives single values of the stored metadata.
func (i instance) said() (func(dicom.Tag) string, error) {
	doc, err := unpackJSON(i.DICOMJSON)
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
	t, all, err := s.fetchTeaching(r.Context(), id)
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
	return archive(w, all, func(out io.Writer, i instance) error { return s.disguised(r.Context(), out, i, key, t.masks[i.Series]) })
}

// disguised sends an object with another head, and of what follows the pixel element alone: what lies behind it, such
// as signatures, names people again. Compressed pictures that have to be blanked are decoded, one at a time; what lies deflated
// or in big endian goes out in explicit little endian.
func (s *Service) disguised(ctx context.Context, w io.Writer, i instance, key []byte, masks []dicom.Box) error {
	f, err := s.opened(ctx, i)
	if err != nil {
		return err
	}
	defer f.Close()
	file, err := f.head()
	if err != nil {
		return err
	}
	if file.Pixels == nil {
		file.Pixels = &dicom.Pixels{Element: i.Head}
	}
	decoded := len(masks) > 0 && !dicom.Native(i.TransferSyntax)
	out := file
	if decoded || i.TransferSyntax == dicom.DeflatedLE || i.TransferSyntax == dicom.ExplicitBE {
		var smaller int64
		for _, frame := range i.FrameIndex {
			for _, run := range frame {
				smaller += run.Length
			}
		}
		out = file.Plain(smaller)
	}
	head, err := out.Deidentify(key)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	switch {
	case decoded:
		return f.blanked(w, out, masks)
	case dicom.Native(i.TransferSyntax):
		return s.native(w, f, file, out, masks)
	}
	body, err := s.Objects.Get(ctx, i.ObjectKey, i.Head, -1)
	if err != nil {
		return err
	}
	defer body.Close()
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

// native sends uncompressed pixels, which lie as file says, as the head out says.
func (s *Service) native(w io.Writer, f *frames, file, out *dicom.File, masks []dicom.Box) error {
	at := int64(8) // tag, type and two bytes before the length (PS3.5 §7.1.2)
	if f.TransferSyntax == dicom.ImplicitLE {
		at = 4
	}
	begin, err := f.bytes(f.Head, at+4)
	if err != nil {
		return err
	}
	length := int64(file.Data.Order.Uint32(begin[at:]))
	var body io.ReadSeeker
	if f.inflated != nil {
		body = io.NewSectionReader(f.inflated, f.Head+at+4, length)
	} else {
		stored := &stretch{ctx: f.ctx, objects: s.Objects, key: f.ObjectKey, Span: dicom.Span{Offset: f.Head + at + 4, Length: length}}
		defer stored.Close()
		body = stored
	}
	if f.TransferSyntax == dicom.ExplicitBE {
		dicom.Swap(begin[:4], 2)
		dicom.Swap(begin[8:], 4)
		body = &turned{in: body, word: file.PixelWord()}
	}
	if _, err := w.Write(begin); err != nil {
		return err
	}
	pixels := dicom.Used(body, out.Data)
	if len(masks) > 0 {
		return dicom.Blank(w, pixels, length, out.Data, masks)
	}
	_, err = io.CopyN(w, pixels, length)
	return err
}

// blanked sends compressed pixels as samples, of which out is the head.
func (f *frames) blanked(w io.Writer, out *dicom.File, masks []dicom.Box) error {
	size := out.PlainFrame()
	length := size * int64(len(f.FrameIndex))
	if _, err := w.Write(out.PixelElement(length + length%2)); err != nil {
		return err
	}
	for n := range f.FrameIndex {
		b, err := f.in(form{native: true}, n)
		if err != nil {
			return err
		}
		if int64(len(b)) != size {
			return fmt.Errorf("frame %d has %d bytes, want %d", n+1, len(b), size)
		}
		if err := dicom.Blank(w, dicom.Used(bytes.NewReader(b), out.Data), size, out.Data, masks); err != nil {
			return err
		}
	}
	_, err := w.Write(make([]byte, length%2))
	return err
}
