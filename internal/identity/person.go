package identity

import (
	"regexp"
	"strings"
	"time"

	"yuanzhen/internal/fault"
)

// ResidentID is what a resident identity number says of its holder (GB 11643-1999).
type ResidentID struct {
	Number    string
	Sex       string // M or F
	BirthDate time.Time
	Region    string // GB/T 2260 code of the place of first registration
}

var residentPattern = regexp.MustCompile(`^[1-9][0-9]{5}(18|19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9X]$`)

// ParseResidentID checks form, date and check character (ISO 7064 MOD 11-2).
func ParseResidentID(s string, today time.Time) (ResidentID, error) {
	s = strings.ToUpper(strings.TrimSpace(s))
	wrong := fault.New(fault.Invalid, "id_number_wrong", "身份证号校验不通过。", "The ID number fails its check digit.").
		WithRemedy("请对照身份证再输一遍，共 18 位。", "Compare it with the card: 18 characters.")
	if !residentPattern.MatchString(s) || residentCheck(s[:17]) != s[17] {
		return ResidentID{}, wrong
	}
	born, err := time.Parse("20060102", s[6:14])
	if err != nil || born.After(today) {
		return ResidentID{}, wrong
	}
	sex := "F"
	if (s[16]-'0')%2 == 1 {
		sex = "M"
	}
	return ResidentID{Number: s, Sex: sex, BirthDate: born, Region: s[:6]}, nil
}

func residentCheck(digits string) byte {
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, w := range weights {
		sum += int(digits[i]-'0') * w
	}
	return "10X98765432"[sum%11]
}

// Masked shows enough to recognise one's own number: 110***********002X.
func (r ResidentID) Masked() string { return r.Number[:3] + "***********" + r.Number[14:] }

// Age in whole years at a local date. It turns over on the day after the birthday,
// the conservative reading for protective limits; who was born on 29 February turns
// over on 1 March.
func Age(birth, today time.Time) int {
	years := today.Year() - birth.Year()
	anniversary := time.Date(today.Year(), birth.Month(), birth.Day(), 0, 0, 0, 0, time.UTC)
	if birth.Month() == time.February && birth.Day() == 29 && anniversary.Month() == time.March {
		anniversary = anniversary.AddDate(0, 0, -1) // 28 February in common years
	}
	if !time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, time.UTC).After(anniversary) {
		years--
	}
	return max(years, 0)
}

// China is the zone in which days, ages and validity count.
var China = time.FixedZone("Asia/Shanghai", 8*3600)
