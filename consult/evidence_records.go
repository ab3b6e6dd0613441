package consult

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"time"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/identity"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
)

// Where a record of an earlier diagnosis was found.
const (
	FromUpload   = "upload"          // a patient's photo, checked by staff
	FromHospital = "hospital_record" // the hospital's own system: signed there, seen in person
	FromVisit    = "visit_record"    // signed after a visit here: online, so it never makes a follow-up
)

// HospitalRecord is a signed record of a visit in person as the hospital's own system has it. It counts as verified
// (verify_method his_lookup), for decisions about visits at that hospital only.
type HospitalRecord struct {
	No         string
	IDNumber   string // GB 11643
	Name       string
	DxDate     string
	ICD10      string
	DocType    string
	Department string
	Doctor     string // who signed it
	Withdrawn  bool

	line   int
	lookup []byte
}

// recordColumns of the file that a hospital's system writes out, in this order.
var recordColumns = []string{"病案号", "身份证号", "姓名", "诊断日期", "ICD-10", "资料种类", "科室", "签名医师", "作废"}

const (
	maxRecordFile = 4 << 20
	maxRecords    = 20_000 // a large hospital's day
)

// TakenIn is what became of a file.
type TakenIn struct {
	Taken     int `json:"taken" doc:"New here"`
	Known     int `json:"known" doc:"Taken in before, the same words"`
	Withdrawn int `json:"withdrawn"`
	People    int `json:"people" doc:"Of them registered here already"`
}

// WrongLine is a line that can't be taken in, and why. It repeats nothing of the line.
type WrongLine struct {
	Line int        `json:"line"`
	Why  fault.Text `json:"why"`
}

// maxWrong is how many lines are named; who has more has the wrong file.
const maxWrong = 20

func wrongLines(list []WrongLine) error {
	first := list[0]
	return fault.New(fault.Invalid, "records_wrong", fmt.Sprintf("第 %d 行：%s 一行也没有导入。", first.Line, first.Why.ZH),
		fmt.Sprintf("Line %d: %s Nothing was taken in.", first.Line, first.Why.EN)).
		WithRemedy("请改正文件后再导入。", "Please correct the file and send it again.").
		With(map[string][]WrongLine{"lines": list[:min(len(list), maxWrong)]})
}

// readRecords reads the file (UTF-8, CSV, with its heading).
func readRecords(file []byte, now time.Time) (records []HospitalRecord, err error) {
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(file, []byte("\xef\xbb\xbf"))))
	in.FieldsPerRecord = len(recordColumns)
	rows, err := in.ReadAll()
	if err != nil || len(rows) == 0 || !slices.Equal(rows[0], recordColumns) {
		return nil, fault.New(fault.Invalid, "records_unreadable", "文件读不懂：第一行须为 "+strings.Join(recordColumns, ",")+"。",
			"The file can't be read: its first line has to be "+strings.Join(recordColumns, ",")+".").
			WithRemedy("请按这个格式导出为 UTF-8 的 CSV。", "Write it out as CSV in UTF-8 with these columns.").Because(err)
	}
	if len(rows)-1 > maxRecords {
		return nil, fault.New(fault.TooLarge, "records_too_many", fmt.Sprintf("一次最多 %d 行。", maxRecords), fmt.Sprintf("At most %d lines at a time.", maxRecords)).
			WithRemedy("请分几次导入。", "Please send it in parts.")
	}
	today := eligibility.DayOf(now.In(china))
	var wrong []WrongLine
	seen := map[[2]string]bool{}
	for i, row := range rows[1:] {
		for c := range row {
			row[c] = strings.TrimSpace(row[c])
		}
		r := HospitalRecord{row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8] == "是", i + 2, nil}
		day, dayErr := eligibility.ParseDay(r.DxDate)
		_, idErr := identity.ParseResidentID(r.IDNumber, now)
		var why fault.Text
		switch {
		case r.No == "" || len(r.No) > 64:
			why = fault.Text{ZH: "缺病案号。", EN: "the record has no number."}
		case idErr != nil:
			why = fault.Text{ZH: "身份证号校验不通过。", EN: "the ID number fails its check digit."}
		case r.Name == "" || r.Doctor == "" || len(r.Name)+len(r.Doctor)+len(r.Department) > 600:
			why = fault.Text{ZH: "缺姓名或签名医师。", EN: "the patient's name or the doctor who signed is missing."}
		case dayErr != nil || day > today:
			why = fault.Text{ZH: "诊断日期不对，应是今天或以前的日期。", EN: "the date of the diagnosis is not a date up to today."}
		case !knownICD10(r.ICD10):
			why = fault.Text{ZH: "没有这个诊断编码。", EN: "there is no such diagnosis code."}
		case !slices.Contains(docTypes, r.DocType):
			why = fault.Text{ZH: "资料种类须为 " + strings.Join(docTypes, "、") + "。", EN: "the kind of paper has to be one of " + strings.Join(docTypes, ", ") + "."}
		case row[8] != "" && row[8] != "是" && row[8] != "否":
			why = fault.Text{ZH: "“作废”一栏写 是、否 或留空。", EN: "the last column is 是, 否 or empty."}
		case seen[[2]string{r.No, r.ICD10}]:
			why = fault.Text{ZH: "病案号和诊断重复。", EN: "number and diagnosis stand twice."}
		}
		if why.ZH != "" {
			wrong = append(wrong, WrongLine{r.line, why})
		}
		seen[[2]string{r.No, r.ICD10}] = true
		records = append(records, r)
	}
	if len(wrong) > 0 {
		return nil, wrongLines(wrong)
	}
	return records, nil
}

// TakeInRecords takes a hospital's own records in: all lines or none. The same file sent twice changes nothing.
func (s *Service) TakeInRecords(ctx context.Context, place ids.Institution, file []byte) (done TakenIn, err error) {
	places := authz.ScopeFrom(ctx).Places()
	if place.IsZero() && len(places) == 1 {
		place = places[0]
	}
	if !slices.Contains(places, place) {
		return TakenIn{}, fault.Missing()
	}
	records, err := readRecords(file, s.Now())
	if err != nil {
		return TakenIn{}, err
	}
	for i := range records {
		id, err := identity.ParseResidentID(records[i].IDNumber, s.Now())
		if err != nil {
			return TakenIn{}, err
		}
		records[i].lookup = s.Vault.Lookup("resident_id", id.Number)
	}
	var accounts []ids.Account
	err = s.inTx(ctx, func(tx tx) error {
		people, err := peopleOf(ctx, tx, records)
		if err != nil {
			return err
		}
		var wrong []WrongLine
		for _, r := range records {
			if p, known := people[string(r.lookup)]; known && p.name != r.Name {
				wrong = append(wrong, WrongLine{r.line, fault.Text{ZH: "姓名和身份证号对不上。", EN: "name and ID number do not belong together."}})
			}
		}
		if len(wrong) > 0 {
			return wrongLines(wrong)
		}
		if done, wrong, err = putRecords(ctx, tx, place, records, authz.SubjectFrom(ctx).Account, s.Now()); err != nil {
			return err
		}
		if len(wrong) > 0 {
			return wrongLines(wrong)
		}
		entries := []audit.Entry{{Action: "evidence.take_in", Object: "institution/" + place.String(), Place: place,
			Reason: fmt.Sprintf("%d taken, %d withdrawn, %d known", done.Taken, done.Withdrawn, done.Known)}}
		for _, p := range people {
			entries = append(entries, audit.Entry{Action: "evidence.take_in", Object: "person/" + p.id.String(), Person: p.id, Place: place})
			accounts = append(accounts, p.accounts...)
		}
		done.People = len(people)
		return audit.Write(ctx, tx, entries...)
	})
	if err == nil {
		s.Live.Publish(live.Event{Kind: "evidence.changed", ID: place.String(), Accounts: accounts, Places: []ids.Institution{place}})
	}
	return done, err
}
