package consult

import (
	"crypto/sha256"
	"encoding/hex"

	"yuanzhen/internal/fault"
)

// ConsentText is what a patient is asked before a teleconsult: what goes to whom for what, for how long, and the fee (TCR-03). Its
// version is the SHA-256 of the words in hex, so an agreement tells which hospital and purpose were read.
type ConsentText struct {
	Version string `json:"version"`
	ZH      string `json:"zh"`
	EN      string `json:"en"`
}

// purposes of the kinds, as the patient is told them. A reading makes both hospitals answer for it (TCR-10).
var purposes = map[string]fault.Text{
	"consult":   {ZH: "只为这次会诊", EN: "for this consult alone"},
	"imaging":   {ZH: "只为看片子、写诊断报告，两家医院一起负责", EN: "only to read your images and report on them, for which both hospitals answer"},
	"pathology": {ZH: "只为看病理、写诊断报告，两家医院一起负责", EN: "only to read your pathology and report on it, for which both hospitals answer"},
	"ecg":       {ZH: "只为看心电图、写诊断报告，两家医院一起负责", EN: "only to read your ECG and report on it, for which both hospitals answer"},
}

func (t Teleconsult) consentText() ConsentText {
	purpose := purposes[t.Kind]
	c := ConsentText{
		ZH: "您的医生想把您的病历和影像给" + t.Invited.Name + t.Department + "的专家看，" + purpose.ZH +
			"。会诊结束专家就不能再看。要不要钱、多少钱，请先问您的医生。您可以不同意，也可以随时撤回。",
		EN: "Your doctor would like an expert of " + t.Department + ", " + t.Invited.Name + ", to see your record and images, " + purpose.EN +
			". When it ends the expert can no longer see them. Please ask your doctor first whether it costs anything. You may refuse, and you may withdraw at any time.",
	}
	sum := sha256.Sum256([]byte(c.ZH + "\n" + c.EN))
	c.Version = hex.EncodeToString(sum[:])
	return c
}
