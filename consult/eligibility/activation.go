package eligibility

import (
	"regexp"
	"time"

	"yuanzhen/internal/fault"
)

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Lacks says what EXC-07 still asks of a policy before it may come into force. That two people other than its
// author have approved it is asked where approvals are kept.
func (p *Policy) Lacks() (list []fault.Text) {
	lacks := func(missing bool, zh, en string) {
		if missing {
			list = append(list, fault.Text{ZH: zh, EN: en})
		}
	}
	w := p.Predicate
	lacks(p.Authority.DocNo == "", "缺批准文号。", "The number of the approval document is missing.")
	lacks(!sha256Hex.MatchString(p.Authority.DocSHA256), "缺批文文件。", "The file of the approval document is missing.")
	lacks(p.Authority.Level == "city", "批准机关须为省级以上。", "The authority has to be of a province or higher.")
	lacks(p.RxScope == "all" && p.Authority.Level != "national", "不限处方须有国家批准；请限制处方范围。",
		"Prescribing without limits needs the country's leave; limit the prescriptions.")
	limited := p.RxScope != "all" && p.RxScope != "none"
	lacks(limited && len(p.Drugs) == 0, "缺药品清单：没有清单，哪种药都开不了。", "The list of drugs is missing; without it nothing can be prescribed.")
	lacks(p.Physician.Whitelist && len(p.Doctors) == 0, "名单上还没有医生。", "There is no doctor on its list.")
	lacks(p.To.After(yearAfter(p.From)), "有效期最长 12 个月。", "A policy lasts twelve months at most.")
	others := len(w.Departments)+len(w.SpecialGroups)+len(w.Schemes)+len(w.Regions)+len(w.Scenarios) > 0 || w.AgeLT != nil
	lacks(!others && len(w.Categories) == 0, "缺适用范围：病种、人群、地区、情景或科室。", "It names no disease, group, region, event or department.")
	lacks(!others && len(w.Categories) > 0 && !p.Authority.DiseaseOnly, "只限病种不够；除非批文本身如此。",
		"Diseases alone are no limit, unless the document itself says so.")
	return list
}

// yearAfter is twelve months later, on the local calendar: the last day of the month where it has no such day (Civil Code Art. 202).
func yearAfter(t time.Time) time.Time {
	local := t.In(shanghai)
	year := local.AddDate(1, 0, 0)
	if year.Day() != local.Day() {
		year = year.AddDate(0, 0, -year.Day())
	}
	return year
}
