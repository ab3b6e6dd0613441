package consult

import (
	_ "embed"
	"encoding/csv"
	"regexp"
	"strings"
	"sync"

	"yuanzhen/internal/fault"
)

// Code is a disease in ICD-10 as clinics here use it (国临版: I10.x00).
type Code struct {
	Code string     `json:"code"`
	Name fault.Text `json:"name"`
}

//go:embed icd10.csv
var icd10File string

// icd10 is the table of common codes: code, name in Chinese, name in English.
var icd10 = sync.OnceValue(func() []Code {
	rows, err := csv.NewReader(strings.NewReader(icd10File)).ReadAll()
	if err != nil {
		panic(err) // compiled in; TestICD10 reads it
	}
	list := make([]Code, len(rows)-1)
	for i, row := range rows[1:] {
		list[i] = Code{row[0], fault.Text{ZH: row[1], EN: row[2]}}
	}
	return list
})

var icd10Form = regexp.MustCompile(`^[A-Z][0-9]{2}(\.[0-9x][0-9]{0,3})?$`)

// icd10Name names a code: its own entry, or that of its category for a finer code than the table has.
func icd10Name(code string) (fault.Text, bool) {
	if !icd10Form.MatchString(code) {
		return fault.Text{}, false
	}
	var category fault.Text
	for _, c := range icd10() {
		if c.Code == code {
			return c.Name, true
		}
		if category.ZH == "" && c.Code[:3] == code[:3] {
			category = c.Name
		}
	}
	return category, category.ZH != ""
}

func knownICD10(code string) bool {
	_, ok := icd10Name(code)
	return ok
}

// SearchICD10 finds up to 20 codes by beginning of the code or part of a name.
func SearchICD10(q string) []Code {
	found := []Code{}
	q = strings.ToLower(strings.TrimSpace(q))
	for _, c := range icd10() {
		if strings.HasPrefix(strings.ToLower(c.Code), q) || strings.Contains(c.Name.ZH, q) || strings.Contains(strings.ToLower(c.Name.EN), q) {
			if found = append(found, c); len(found) == 20 {
				break
			}
		}
	}
	return found
}
