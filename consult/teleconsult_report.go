package consult

import (
	"context"
	"fmt"
	"strings"
	"time"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/paper"
)

var (
	kindWords    = map[string]string{"consult": "远程会诊报告", "imaging": "远程影像诊断报告", "pathology": "远程病理诊断报告", "ecg": "远程心电诊断报告"}
	adoptWords   = map[string]string{"full": "采纳会诊意见", "partial": "部分采纳会诊意见", "none": "不采纳会诊意见"}
	stanceWords  = map[string]string{"agree": "（意见一致）", "dissent": "（保留不同意见）"}
	sexWords     = map[string]string{"M": "男", "F": "女"}
	urgencyWords = map[string]string{"routine": "常规", "urgent": "加急", "emergency": "急诊"}
	releaseWords = map[string]string{"unreachable": "联系不上", "unwell": "身体原因", "away": "外出", "conflict": "利益冲突，回避", "other_field": "不属本专业", "other": "其他"}
	answersWords = map[string]string{"inviter": "会诊意见供参考，诊断与治疗由邀请方决定并负责。", "joint": "远程诊断由邀请方与受邀方共同承担责任。"}
)

// Report is the opinion of each expert and the own hospital's decision on paper, for the patient; before the decision there is
// none, for the asking doctor says what follows from it (TCR-09).
func (s *Teleconsults) Report(ctx context.Context, id ids.Teleconsult) ([]byte, error) {
	t, err := s.Teleconsult(ctx, id)
	if err != nil {
		return nil, err
	}
	if t.State != Decided && t.State != Closed {
		return nil, fault.New(fault.Conflict, "not_decided", "会诊还没有结果，暂时没有报告。", "The consult has no result yet, so there is no report.").
			WithRemedy("请等本院医生写下决定。", "Please wait for the doctor's decision.")
	}
	report := paper.Report{Hospital: t.Invited.Name, Title: kindWords[t.Kind], No: "HZ-" + strings.ToUpper(strings.ReplaceAll(id.String(), "-", "")[:12]), At: *t.Decision.SignedAt,
		Facts: [][2]string{
			{"编号", "HZ-" + strings.ToUpper(id.String())},
			{"病人", fmt.Sprintf("%s  %s  %d 岁", t.Person.Name, sexWords[t.Person.Sex], t.Person.Age)},
			{"申请医院", t.Inviter.Institution.Name + "  " + t.Inviter.Practitioner.Name + " " + t.Inviter.Practitioner.Title},
			{"受邀医院", t.Invited.Name + "  " + t.Department},
			{"紧急程度", urgencyWords[t.Urgency]}, {"诊断", t.Diagnosis}, {"问题", t.Question}, {"病情摘要", t.Summary},
			{"影像", fmt.Sprintf("%d 项检查", len(t.Studies))},
		},
		Words: []string{answersWords[t.Liability], "本件为纸质副本，以系统中经医师电子签名的原文为准；双方医院各存一份。"}}
	signed := func(d Document, who string) string {
		return fmt.Sprintf("%s  电子签名  %s  SHA-256 %s", who, d.SignedAt.In(china).Format("2006-01-02 15:04"), d.SHA256)
	}
	add := func(heading string, d Document, who string, text ...string) {
		report.Parts = append(report.Parts, paper.Part{Heading: heading, Text: text, Signed: signed(d, who)})
	}
	says := func(d Document, key string) string { text, _ := d.Content[key].(string); return text }
	expert := t.Expert.Practitioner
	add("专家意见", *t.Opinion, expert.Name+" "+expert.Title+"（"+t.Invited.Name+"）", "所见："+says(*t.Opinion, "findings"), "建议："+says(*t.Opinion, "advice"))
	for _, o := range t.Opinions {
		add("专家意见"+stanceWords[says(o.Document, "stance")], o.Document, o.Author.Name+" "+o.Author.Title, "所见："+says(o.Document, "findings"), "建议："+says(o.Document, "advice"))
	}
	for _, r := range t.Released {
		why := releaseWords[r.Reason]
		if r.Note != "" {
			why += "：" + r.Note
		}
		report.Parts = append(report.Parts, paper.Part{Heading: "未签意见的专家", Text: []string{r.Expert.Name + " " + r.Expert.Title + "  " + why},
			Signed: r.By + "  记录  " + r.At.In(china).Format("2006-01-02 15:04")})
	}
	for _, o := range t.Addenda {
		add("补充意见", o.Document, o.Author.Name+" "+o.Author.Title, says(o.Document, "text"))
	}
	for _, c := range t.Critical {
		report.Parts = append(report.Parts, paper.Part{Heading: "危急值", Text: []string{c.What, "复述与处理：" + c.Back},
			Signed: c.By.Name + " " + c.At.In(china).Format("2006-01-02 15:04") + " 通知；" + c.Reader + " " + timeOf(c.ReadAt) + " 复述"})
	}
	doctor := t.Inviter.Practitioner
	add("本院决定："+adoptWords[says(*t.Decision, "adopt")], *t.Decision, doctor.Name+" "+doctor.Title+"（"+t.Inviter.Institution.Name+"）", says(*t.Decision, "plan"))
	_, report.Simulated = s.Keys.CA.(interface{ Simulated() })
	return report.PDF()
}

func timeOf(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.In(china).Format("2006-01-02 15:04")
}
