package imaging

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"yuanzhen/internal/fault"
	"yuanzhen/storage/imaging/dicom"
)

// level of a QIDO-RS search: which things it lists.
type level int

const (
	studies level = iota
	seriesLevel
	instances
)

// searchLimit is the most that one answer lists; the rest is announced by a warning and reached by offset.
const searchLimit = 200

// query is a search that was understood.
type query struct {
	level   level
	match   []match
	include []string // tags to add, as eight hex digits
	all     bool     // includefield=all
	limit   int
	offset  int
}

// match is one matching key with its values; several mean any of them.
type match struct {
	key    key
	values []string
	fuzzy  bool // of a name: each word anywhere in it
}

// key is an attribute that can be searched by.
type key struct {
	tag   dicom.Tag
	kind  kind
	sql   string
	level level // the broadest level at which it is found
}

type kind int

const (
	exact    kind = iota // UIDs and codes: equal to one of a list
	text                 // with * and ?
	name                 // text, any case, each group of a person's name and its sound
	span                 // dates and times: a, a-b, a-, -b
	modality             // of any series of the study
)

var keys = []key{
	{dicom.StudyInstanceUID, exact, "s.uid", studies},
	{dicom.PatientName, name, "s.patient_name", studies},
	{dicom.PatientID, text, "s.patient_id", studies},
	{dicom.PatientBirthDate, span, "s.patient_birth_date", studies},
	{dicom.PatientSex, exact, "s.patient_sex", studies},
	{dicom.StudyDate, span, "s.study_date", studies},
	{dicom.StudyTime, span, "s.study_time", studies},
	{dicom.AccessionNumber, text, "s.accession", studies},
	{dicom.StudyDescription, text, "s.description", studies},
	{dicom.ReferringPhysician, name, "s.referring", studies},
	{dicom.ModalitiesInStudy, modality, "", studies},
	{dicom.SeriesInstanceUID, exact, "e.uid", seriesLevel},
	{dicom.Modality, exact, "e.modality", seriesLevel},
	{dicom.SeriesNumber, exact, "e.number::text", seriesLevel},
	{dicom.SeriesDescription, text, "e.description", seriesLevel},
	{dicom.SeriesDate, span, "e.series_date", seriesLevel},
	{dicom.SOPInstanceUID, exact, "i.sop_uid", instances},
	{dicom.SOPClassUID, exact, "i.sop_class", instances},
	{dicom.InstanceNumber, exact, "i.number::text", instances},
}

// parseQuery reads the parameters of PS3.18 §8.3.4. A key that can't be searched by is refused: an answer that left it
// out would show other patients' studies as if they matched.
func parseQuery(at level, p path, params url.Values) (query, error) {
	q := query{level: at, limit: searchLimit}
	for name, values := range params {
		if joined := strings.Join(values, ""); !utf8.ValidString(joined) || strings.Contains(joined, "\x00") {
			return q, cannotSearch(name)
		}
		switch name {
		case "limit", "offset":
			n, err := strconv.Atoi(values[0])
			if err != nil || n < 0 || n > 1<<30 {
				return q, cannotSearch(name)
			}
			if name == "offset" {
				q.offset = n
			} else {
				q.limit = min(n, searchLimit)
			}
		case "includefield":
			for _, f := range splitLists(values, ",") {
				if tag, ok := dicom.ParseTag(f); ok {
					q.include = append(q.include, tag.String())
				}
				q.all = q.all || f == "all"
			}
		case "fuzzymatching", "accept", "institution":
		default:
			tag, known := dicom.ParseTag(name)
			i := slices.IndexFunc(keys, func(k key) bool { return k.tag == tag })
			if !known || i < 0 || keys[i].level > at {
				return q, cannotSearch(name)
			}
			m := match{key: keys[i], values: values, fuzzy: params.Get("fuzzymatching") == "true"}
			if k := keys[i].kind; k == exact || k == modality {
				m.values = splitLists(values, `,\`)
			}
			if !slices.Equal(m.values, []string{""}) { // an empty key matches everything (PS3.4 C.2.2.2.3)
				q.match = append(q.match, m)
			}
		}
	}
	for _, fixed := range []match{{key: keys[0], values: []string{p.study}}, {key: keys[11], values: []string{p.series}}} {
		if fixed.values[0] != "" {
			q.match = append(q.match, fixed)
		}
	}
	return q, nil
}

func cannotSearch(name string) error {
	return fault.New(fault.Malformed, "cannot_search_by", "不能按这个条件查询。", "This can't be searched by.").
		WithRemedy("请去掉或改正这个条件。", "Please leave it out or correct it.").With(map[string]string{"parameter": name})
}

func splitLists(values []string, separators string) []string {
	return strings.FieldsFunc(strings.Join(values, ","), func(r rune) bool { return strings.ContainsRune(separators+",", r) })
}

// search is QIDO-RS (PS3.18 §10.6) at one level.
func (s *Service) search(at level) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := pathOf(r)
		if err != nil {
			return err
		}
		q, err := parseQuery(at, p, r.URL.Query())
		if err != nil {
			return err
		}
		if p.study != "" {
			if err := s.there(r.Context(), p); err != nil {
				return err
			}
		}
		found, more, err := s.find(r.Context(), q)
		if err != nil {
			return err
		}
		out := make([]json.RawMessage, len(found))
		for i, f := range found {
			if out[i], err = f.answer(q, s.base(r)); err != nil {
				return err
			}
		}
		if more {
			w.Header().Set("Warning", fmt.Sprintf(`299 yuanzhen "There are more than these %d; use offset."`, len(out)))
		}
		return writeJSON(w, r, func(w io.Writer) error { return json.NewEncoder(w).Encode(out) })
	}
}

// result is one line of an answer: the columns that every level has, and the DICOM JSON of one of its objects for
// whatever else is asked.
type result struct {
	study                                      Study
	time, accession, referring                 string
	seriesCount                                int
	seriesUID, modality, description, serieday string
	seriesNumber, instanceNumber               *int
	sop, class                                 string
	doc                                        []byte
}

func (f result) answer(q query, base string) (json.RawMessage, error) {
	d := map[string]json.RawMessage{}
	if q.all || len(q.include) > 0 || q.level == instances {
		doc, err := unpackJSON(f.doc, "")
		if err != nil {
			return nil, err
		}
		var whole map[string]json.RawMessage
		if err := json.Unmarshal(doc, &whole); err != nil {
			return nil, fmt.Errorf("stored DICOM JSON: %w", err)
		}
		fields := q.include
		if q.level == instances {
			fields = append(slices.Clone(fields), "00280008", "00280010", "00280011", "00280100", "00083002")
		}
		for tag, value := range whole {
			if slices.Contains(fields, tag) || q.all && !strings.Contains(string(value), `"BulkDataURI"`) {
				d[tag] = value
			}
		}
	}
	set := func(tag dicom.Tag, vr string, values ...any) {
		a := attribute{VR: vr}
		for _, v := range values {
			if s, ok := v.(string); !ok || s != "" {
				a.Value = append(a.Value, v)
			}
		}
		d[tag.String()], _ = json.Marshal(a) // strings and numbers always have a JSON form
	}
	st := f.study
	url := base + "/studies/" + st.UID
	set(dicom.StudyDate, "DA", st.StudyDate)
	set(dicom.StudyTime, "TM", f.time)
	set(dicom.AccessionNumber, "SH", f.accession)
	set(dicom.ReferringPhysician, "PN", personName(f.referring)...)
	set(dicom.StudyDescription, "LO", st.Description)
	set(dicom.PatientName, "PN", personName(st.PatientName)...)
	set(dicom.PatientID, "LO", st.PatientID)
	set(dicom.PatientBirthDate, "DA", st.PatientBirthDate)
	set(dicom.PatientSex, "CS", st.PatientSex)
	set(dicom.StudyInstanceUID, "UI", st.UID)
	modalities := make([]any, len(st.Modalities))
	for i, m := range st.Modalities {
		modalities[i] = m
	}
	set(dicom.ModalitiesInStudy, "CS", modalities...)
	if q.level == studies {
		set(numberOfSeries, "IS", f.seriesCount)
		set(numberOfInstances, "IS", st.Instances)
	}
	if q.level >= seriesLevel {
		url += "/series/" + f.seriesUID
		set(dicom.Modality, "CS", f.modality)
		set(dicom.SeriesDescription, "LO", f.description)
		set(dicom.SeriesDate, "DA", f.serieday)
		set(dicom.SeriesInstanceUID, "UI", f.seriesUID)
		set(dicom.SeriesNumber, "IS", number0(f.seriesNumber)...)
		set(instancesOfSeries, "IS", st.Instances)
	}
	if q.level == instances {
		url += "/instances/" + f.sop
		set(dicom.SOPClassUID, "UI", f.class)
		set(dicom.SOPInstanceUID, "UI", f.sop)
		set(dicom.InstanceNumber, "IS", number0(f.instanceNumber)...)
		delete(d, instancesOfSeries.String())
	}
	set(retrieveURL, "UR", url)
	return json.Marshal(d)
}

const (
	retrieveURL       dicom.Tag = 0x00081190
	numberOfSeries    dicom.Tag = 0x00201206
	numberOfInstances dicom.Tag = 0x00201208
	instancesOfSeries dicom.Tag = 0x00201209
)

func number0(n *int) []any {
	if n == nil {
		return nil
	}
	return []any{*n}
}

// personName gives the groups of a name their labels (PS3.18 F.2.2).
func personName(s string) []any {
	groups := map[string]string{}
	for i, g := range strings.SplitN(s, "=", 3) {
		if g != "" {
			groups[[]string{"Alphabetic", "Ideographic", "Phonetic"}[i]] = g
		}
	}
	if len(groups) == 0 {
		return nil
	}
	return []any{groups}
}
