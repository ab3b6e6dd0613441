package imaging

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
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
	level level     // the broadest level at which it is found
	in    dicom.Tag // the sequence that holds it
	among string    // the rows of which any may have it
}

type kind int

const (
	exact kind = iota // UIDs and codes: one of a list
	text              // with * and ?
	name              // text, any case, each group of a person's name and its sound
	span              // dates and times: a, a-b, a-, -b
)

// requestsOf a series, each what asked for it.
const requestsOf = "jsonb_array_elements(e.requests) q WHERE"

// keys are those of PS3.18 tables 10.6.1-2 to 10.6.1-4, and what lists of the house are searched by.
var keys = []key{
	{tag: dicom.StudyInstanceUID, kind: exact, sql: "s.uid", level: studies},
	{tag: dicom.StudyID, kind: text, sql: "s.own_id", level: studies},
	{tag: dicom.PatientName, kind: name, sql: "s.patient_name", level: studies},
	{tag: dicom.PatientID, kind: text, sql: "s.patient_id", level: studies},
	{tag: dicom.PatientBirthDate, kind: span, sql: "s.patient_birth_date", level: studies},
	{tag: dicom.PatientSex, kind: exact, sql: "s.patient_sex", level: studies},
	{tag: dicom.StudyDate, kind: span, sql: "s.study_date", level: studies},
	{tag: dicom.StudyTime, kind: span, sql: "s.study_time", level: studies},
	{tag: dicom.AccessionNumber, kind: text, sql: "s.accession", level: studies},
	{tag: dicom.StudyDescription, kind: text, sql: "s.description", level: studies},
	{tag: dicom.ReferringPhysician, kind: name, sql: "s.referring", level: studies},
	{tag: dicom.ModalitiesInStudy, kind: exact, sql: "x.modality", level: studies, among: "series x WHERE x.study_id = s.id AND"},
	{tag: dicom.SeriesInstanceUID, kind: exact, sql: "e.uid", level: seriesLevel},
	{tag: dicom.Modality, kind: exact, sql: "e.modality", level: seriesLevel},
	{tag: dicom.SeriesNumber, kind: exact, sql: "e.number::text", level: seriesLevel},
	{tag: dicom.SeriesDescription, kind: text, sql: "e.description", level: seriesLevel},
	{tag: dicom.SeriesDate, kind: span, sql: "e.series_date", level: seriesLevel},
	{tag: dicom.StepStartDate, kind: span, sql: "e.step_date", level: seriesLevel},
	{tag: dicom.StepStartTime, kind: span, sql: "e.step_time", level: seriesLevel},
	{tag: dicom.ScheduledStepID, kind: text, sql: "q->>'step'", level: seriesLevel, in: dicom.RequestAttributes, among: requestsOf},
	{tag: dicom.RequestedProcedureID, kind: text, sql: "q->>'procedure'", level: seriesLevel, in: dicom.RequestAttributes, among: requestsOf},
	{tag: dicom.SOPInstanceUID, kind: exact, sql: "i.sop_uid", level: instances},
	{tag: dicom.SOPClassUID, kind: exact, sql: "i.sop_class", level: instances},
	{tag: dicom.InstanceNumber, kind: exact, sql: "i.number::text", level: instances},
}

// keyOf is a key of PS3.18's own writing: a tag or keyword, after a point where it lies in a sequence (§8.3.4.1).
func keyOf(written string) (key, bool) {
	outer, inner, nested := strings.Cut(written, ".")
	tag, known := dicom.ParseTag(outer)
	var in dicom.Tag
	if nested {
		in = tag
		tag, known = dicom.ParseTag(inner)
	}
	i := slices.IndexFunc(keys, func(k key) bool { return known && k.tag == tag && k.in == in })
	if i < 0 {
		return key{}, false
	}
	return keys[i], true
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
			k, known := keyOf(name)
			if !known || k.level > at {
				return q, cannotSearch(name)
			}
			m := match{key: k, values: values, fuzzy: params.Get("fuzzymatching") == "true"}
			if k.kind == exact {
				m.values = splitLists(values, `,\`)
			}
			if !m.universal() {
				q.match = append(q.match, m)
			}
		}
	}
	for _, fixed := range []struct{ written, uid string }{{"StudyInstanceUID", p.study}, {"SeriesInstanceUID", p.series}} {
		if k, _ := keyOf(fixed.written); fixed.uid != "" {
			q.match = append(q.match, match{key: k, values: []string{fixed.uid}})
		}
	}
	return q, nil
}

// universal reports whether the key matches everything, what has no such attribute too: without a value (PS3.4 C.2.2.2.3), or with *
// alone (C.2.2.2.4).
func (m match) universal() bool {
	for _, v := range m.values {
		if v != "" && strings.Trim(v, "*") == "" {
			return true
		}
	}
	return strings.Join(m.values, "") == ""
}

var unreadableQuery = fault.New(fault.Malformed, "unreadable_query", "查询条件写得不合规，读不懂。", "The query is not well formed.").
	WithRemedy("请把 %、& 和 ; 写成 %25、%26 和 %3B。", "Please write %, & and ; as %25, %26 and %3B.")

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
		_, written := splitQuery(r.URL.RawQuery)
		params, err := url.ParseQuery(written) // r.URL.Query would leave out what it can't read, and find what that was to exclude
		if err != nil {
			return unreadableQuery.Because(err)
		}
		q, err := parseQuery(at, p, params)
		if err != nil {
			return err
		}
		if !takesJSON(r) {
			return notAcceptable(w, r, jsonType)
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
		if more {
			w.Header().Set("Warning", fmt.Sprintf(`299 yuanzhen "There are more than these %d; use offset."`, len(found)))
		}
		return writeJSON(w, r, func(w io.Writer) error {
			out := bufio.NewWriter(w)
			out.WriteString("[") // what can't be written is told by Flush
			for i, f := range found {
				if i > 0 {
					out.WriteString(",")
				}
				own := f.own(q, s.base(r))
				if f.of.SOP == "" {
					err = merged(out, own, q, nil)
				} else {
					err = s.words(r.Context(), f.of, out, func(out io.Writer, packed []byte) error { return merged(out, own, q, packed) })
				}
				if err != nil {
					return err
				}
			}
			out.WriteString("]\n")
			return out.Flush()
		})
	}
}

// result is one line of an answer: the columns that every level has, and one of its objects for whatever else is asked.
type result struct {
	study                                      Study
	time, accession, referring, ownID, zone    string
	seriesCount                                int
	seriesUID, modality, description, serieday string
	stepDate, stepTime                         string
	requests                                   []request
	seriesNumber, instanceNumber               *int
	sop, class                                 string
	of                                         instance // whose UIDs and words alone are known
}

// merged writes own and, of an object's packed DICOM JSON, what else the query asks for, by tag.
func merged(out io.Writer, own map[string]json.RawMessage, q query, packed []byte) error {
	fields := q.include
	if q.level == instances {
		fields = append(slices.Clone(fields), "00280008", "00280010", "00280011", "00280100", syntaxServed, timezone.String())
	}
	before := `{"`
	put := func(tag string, value json.RawMessage) error {
		_, err := io.WriteString(out, before+tag+`":`)
		if before = `,"`; err == nil {
			_, err = out.Write(value)
		}
		return err
	}
	left := slices.Sorted(maps.Keys(own))
	until := func(tag string) (err error) {
		for ; err == nil && len(left) > 0 && left[0] < tag; left = left[1:] {
			err = put(left[0], own[left[0]])
		}
		return err
	}
	if packed != nil {
		err := unpacked(packed, func(plain io.Reader) error {
			return attributesOf(plain, func(tag string, value json.RawMessage) error {
				_, ours := own[tag]
				switch {
				case ours || !slices.Contains(fields, tag) && (!q.all || bytes.Contains(value, []byte(bulkMark))):
					return nil
				case tag == syntaxServed: // stands before the others
					own[tag] = value
					at, _ := slices.BinarySearch(left, tag)
					left = slices.Insert(left, at, tag)
					return nil
				}
				if err := until(tag); err != nil {
					return err
				}
				return put(tag, value)
			})
		})
		if err != nil {
			return err
		}
	}
	if err := until("G"); err != nil { // beyond all hex digits
		return err
	}
	_, err := io.WriteString(out, "}")
	return err
}

// syntaxServed is Available Transfer Syntax UID.
const syntaxServed = "00083002"

// own is what the columns say.
func (f result) own(q query, base string) map[string]json.RawMessage {
	d := map[string]json.RawMessage{}
	set := func(tag dicom.Tag, vr string, values ...any) {
		d[tag.String()], _ = json.Marshal(attributeOf(vr, values...)) // strings and numbers always have a JSON form
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
	set(dicom.StudyID, "SH", f.ownID)
	set(instanceAvailability, "CS", "ONLINE")
	if f.zone != "" && q.level != instances { // an object has its own
		set(timezone, "SH", f.zone)
	}
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
		if f.stepDate != "" {
			set(dicom.StepStartDate, "DA", f.stepDate)
		}
		if f.stepTime != "" {
			set(dicom.StepStartTime, "TM", f.stepTime)
		}
		if len(f.requests) > 0 {
			items := make([]any, len(f.requests))
			for i, r := range f.requests {
				items[i] = dataset{dicom.ScheduledStepID.String(): attributeOf("SH", r.Step), dicom.RequestedProcedureID.String(): attributeOf("SH", r.Procedure)}
			}
			set(dicom.RequestAttributes, "SQ", items...)
		}
	}
	if q.level == instances {
		url += "/instances/" + f.sop
		set(dicom.SOPClassUID, "UI", f.class)
		set(dicom.SOPInstanceUID, "UI", f.sop)
		set(dicom.InstanceNumber, "IS", number0(f.instanceNumber)...)
		delete(d, instancesOfSeries.String())
	}
	set(retrieveURL, "UR", url)
	return d
}

const (
	instanceAvailability dicom.Tag = 0x00080056
	timezone             dicom.Tag = 0x00080201
	retrieveURL          dicom.Tag = 0x00081190
	numberOfSeries       dicom.Tag = 0x00201206
	numberOfInstances    dicom.Tag = 0x00201208
	instancesOfSeries    dicom.Tag = 0x00201209
)

// attributeOf leaves empty values out: an attribute without any is there and empty.
func attributeOf(vr string, values ...any) attribute {
	a := attribute{VR: vr}
	for _, v := range values {
		if s, ok := v.(string); !ok || s != "" {
			a.Value = append(a.Value, v)
		}
	}
	return a
}

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
