package formulary

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"yuanzhen/internal/fault"
)

func TestDefaultKnowledge(t *testing.T) {
	k, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	pairs := 0
	for _, i := range k.Ingredients {
		pairs += len(i.With)
	}
	for what, got := range map[string][2]int{
		"ingredients":       {len(k.Ingredients), 451},
		"products":          {len(k.Products), 40},
		"interacting pairs": {pairs / 2, 3631}, // each is under either ingredient
		"rules":             {len(k.Rules), 28},
		"allergy groups":    {len(k.Groups), 28},
		"chronic":           {len(k.Chronic), 33},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %d, the data has %d", what, got[0], got[1])
		}
	}
	for code, text := range k.texts {
		if text.ZH == "" || text.EN == "" {
			t.Errorf("code %s lacks a language", code)
		}
	}
}

// broken is the default data with one replacement in one table.
func broken(t *testing.T, table, old, new string) fs.FS {
	t.Helper()
	data, changed := fstest.MapFS{}, false
	entries, err := embedded.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		raw, err := embedded.ReadFile("data/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if e.Name() == table+".csv" {
			text = strings.Replace(text, old, new, 1)
			changed = text != string(raw)
		}
		data[e.Name()] = &fstest.MapFile{Data: []byte(text)}
	}
	if !changed {
		t.Fatalf("%q does not occur in %s", old, table)
	}
	return data
}

func TestBrokenDataIsRefused(t *testing.T) {
	for _, c := range []struct{ story, table, old, new, says string }{
		{"a class member that does not exist", "classes", "|naproxen|", "|naproxin|", `classes line 2: unknown ingredient "naproxin"`},
		{"an interaction with an unknown class", "interactions", "class,maoi,", "class,maois,", `interactions line 2: unknown class "maois"`},
		{"a code without words", "interactions", "PD_HYPERTENSIVE", "PD_HYPER", "code mech:PD_HYPER lacks its wording"},
		{"a dose with an exponent", "dose_limits", "max_daily,20,mg", "max_daily,2e1,mg", "not a plain decimal"},
		{"a unit nobody knows", "combinations", "amoxicillin:875:mg", "amoxicillin:875:drops", `unknown unit "drops"`},
		{"a limit in units nobody doses in", "dose_limits", "citalopram,max_daily,20,mg", "citalopram,max_daily,20,mL", "citalopram is dosed in mg, not in mL"},
		{"a column renamed", "renal", "egfr_below", "egfr", "renal: the header is not"},
		{"a severity misspelt", "duplicate_classes", "ppi,major", "ppi,mayor", `unknown severity "mayor"`},
		{"an ingredient twice", "ingredients", "ampicillin,ampicillin", "amoxicillin,ampicillin", "is there twice"},
		{"a trade name of nothing", "trade_names", "Norvasc,amlodipine", "Norvasc,amlodipin", `unknown medicine "amlodipin"`},
		{"a usual use above the limit", "usual_use", "amlodipine,5,", "amlodipine,500,", "above its own limit"},
		{"a reading with a tone", "pinyin", "\na,", "\nā,", "is not pinyin without tones"},
		{"an unknown control scope", "controlled", "morphine,any", "morphine,some", `scope: unknown value "some"`},
	} {
		t.Run(c.story, func(t *testing.T) {
			_, err := Read(broken(t, c.table, c.old, c.new))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("want an error with %q, got %v", c.says, err)
			}
		})
	}
}

func TestVersionFollowsTheData(t *testing.T) {
	k, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	other, err := Read(broken(t, "renal", "metformin,45", "metformin,46"))
	if err != nil {
		t.Fatal(err)
	}
	if k.Version == other.Version {
		t.Fatal("changed data kept its version")
	}
}

func TestAmounts(t *testing.T) {
	amount := func(value, unit string) Amount {
		d, err := ParseDecimal(value)
		if err != nil {
			t.Fatal(err)
		}
		a, err := NewAmount(d, unit)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if amount("0.5", "g").Over(amount("500", "mg")) || !amount("500.001", "mg").Over(amount("0.5", "g")) {
		t.Error("half a gram is 500 mg, exactly")
	}
	if amount("1", "g").Comparable(amount("1", "[iU]")) {
		t.Error("grams and international units have no order")
	}
	if got := amount("125", "ug").In("mg"); got != "0.125 mg" {
		t.Errorf("125 ug are %s", got)
	}
	sum := amount("0.1", "mg").Plus(amount("0.2", "mg"))
	if sum.Over(amount("0.3", "mg")) {
		t.Error("0.1 and 0.2 are exactly 0.3")
	}
	for _, bad := range []string{"", "-1", "1e3", "1,5", ".5", "5.", "0x10", "1234567890", "0.1234567", "½"} {
		if _, err := ParseDecimal(bad); err == nil {
			t.Errorf("%q was read as a number", bad)
		}
	}
}

func TestSearch(t *testing.T) {
	k, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	for q, want := range map[string]string{"缬沙坦": "缬沙坦", "Amlod": "氨氯地平", "C10AA05": "阿托伐他汀", "消渴": "消渴丸(10丸)",
		"aldp": "氨氯地平", "anlvdiping": "氨氯地平", "anlvdp": "氨氯地平", "alvdip": "氨氯地平", "氨ldp": "氨氯地平", "ejsg": "二甲双胍", "efsg": "",
		"络活喜": "氨氯地平", "lhx": "氨氯地平", "Norvasc": "氨氯地平", "xst": "缬沙坦", "ATFTT": "阿托伐他汀", "zhusheyong": "注射用亚胺培南西司他丁钠",
		"dierliuzhuo": "地尔硫䓬", "qdw": "", "xieshatanqinglvsaiqin": "缬沙坦氢氯噻嗪片", "倍博特": "缬沙坦氨氯地平片", strings.Repeat("a", 61): ""} {
		found := k.Search(q, 5)
		if want == "" && len(found) == 0 {
			continue
		}
		if len(found) == 0 || found[0].Name().ZH != want {
			t.Errorf("%s finds %v first, want %s", q, found, want)
		}
	}
	if len(k.Search("a", 7)) != 7 || k.Search("  ", 7) != nil {
		t.Error("a search is bounded, and empty for nothing")
	}
}

func TestATradeNameIsOnlyAWayToTheGenericName(t *testing.T) {
	k, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	found := k.Search("立普妥", 5)
	if len(found) != 1 || found[0].As.ZH != "立普妥" || found[0].Name().ZH != "阿托伐他汀" {
		t.Errorf("%+v", found)
	}
	if found = k.Search("shatan", 20); len(found) < 6 || found[0].As != (fault.Text{}) {
		t.Errorf("a part of many names, each medicine once: %+v", found)
	}
	seen := map[string]bool{}
	for _, f := range k.Search("a", 1000) {
		if seen[f.Name().ZH] {
			t.Errorf("%s is there twice", f.Name().ZH)
		}
		seen[f.Name().ZH] = true
	}
}

// Every name of the data can be typed: each character that is none of ASCII has a reading.
func TestEveryNameCanBeSpelt(t *testing.T) {
	k, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range k.searched {
		for _, c := range e.zh {
			if c > 127 && c != '（' && c != '）' && len(k.readings[c]) == 0 {
				t.Errorf("%s: %c has no reading", string(e.zh), c)
			}
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	k, err := Default()
	if err != nil {
		b.Fatal(err)
	}
	for _, q := range []string{"aldp", "anlvdiping", "氨氯", "a"} {
		b.Run(q, func(b *testing.B) {
			for b.Loop() {
				k.Search(q, 20)
			}
		})
	}
}

func TestHasPrefix(t *testing.T) {
	for _, c := range []struct {
		code, prefix string
		falls        bool
	}{{"K25.0", "K25", true}, {"K250", "K25.0", true}, {"K25.0", "K250", true}, {"K25", "K25.0", false}, {"I44.100x001", "I44.1", true}, {"I10", "I11", false}} {
		if HasPrefix(c.code, c.prefix) != c.falls {
			t.Errorf("%s under %s: %v", c.code, c.prefix, !c.falls)
		}
	}
}
