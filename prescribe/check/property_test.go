package check

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"yuanzhen/prescribe/formulary"
)

func decimal(s string) formulary.Decimal {
	d, err := formulary.ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return d
}

func keys[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// drawItem draws from all of the formulary, with doses around the limits.
func drawItem(t *rapid.T, kb *formulary.Knowledge) Item {
	item := Item{
		Days:   Whole(rapid.SampledFrom([]int{3, 7, 28, 84, 90}).Draw(t, "days")),
		PerDay: decimal(rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "per_day")),
		Route:  rapid.SampledFrom([]string{"", "", "", "po", "oph", "top", "iv"}).Draw(t, "route"),
	}
	if rapid.IntRange(0, 4).Draw(t, "product") == 0 {
		item.Product = rapid.SampledFrom(keys(kb.Products)).Draw(t, "product")
		item.Units = decimal("1")
		return item
	}
	item.Ingredient = rapid.SampledFrom(keys(kb.Ingredients)).Draw(t, "ingredient")
	item.Dose = decimal(rapid.SampledFrom([]string{"0.1", "1", "5", "20", "100", "500", "1000"}).Draw(t, "dose"))
	item.Unit = rapid.SampledFrom([]string{kb.Ingredients[item.Ingredient].Unit, kb.Ingredients[item.Ingredient].Unit, "mg", "mL"}).Draw(t, "unit")
	return item
}

func drawCase(t *rapid.T, kb *formulary.Knowledge) Case {
	c := Case{}
	c.Context = Context{
		Channel: rapid.SampledFrom(channels).Draw(t, "channel"), Type: rapid.SampledFrom(types).Draw(t, "type"),
		Renewal: rapid.Bool().Draw(t, "renewal"), Fulfil: rapid.SampledFrom(fulfilments).Draw(t, "fulfil"),
	}
	age := Whole(rapid.IntRange(0, 90).Draw(t, "age"))
	c.Patient = Patient{
		AgeYears: &age, Sex: rapid.SampledFrom([]string{"", "M", "F"}).Draw(t, "sex"),
		Conditions: rapid.SliceOfN(rapid.SampledFrom([]string{"I10", "I50", "J45", "K25.0", "K74", "E11", "N18.4", "G20", "L70"}), 0, 4).Draw(t, "conditions"),
		Lactation:  Answer(rapid.SampledFrom(answers).Draw(t, "lactation")),
	}
	if c.Patient.Sex != "M" {
		c.Patient.Pregnancy = Answer(rapid.SampledFrom(answers).Draw(t, "pregnancy"))
		c.Patient.Trimester = Whole(rapid.IntRange(0, 3).Draw(t, "trimester"))
	}
	if rapid.Bool().Draw(t, "weighed") {
		c.Patient.WeightKg = decimal("20.5")
	}
	if rapid.Bool().Draw(t, "measured") {
		c.Patient.Creatinine = decimal(rapid.SampledFrom([]string{"60", "120", "300"}).Draw(t, "creatinine"))
	}
	for range rapid.IntRange(0, 6).Draw(t, "active") {
		a := Active{Ingredient: rapid.SampledFrom(keys(kb.Ingredients)).Draw(t, "ingredient"), RemainingDays: Whole(rapid.IntRange(0, 30).Draw(t, "left"))}
		if rapid.Bool().Draw(t, "dosed") {
			a.DailyDose, a.Unit = decimal("40"), kb.Ingredients[a.Ingredient].Unit
		}
		c.ActiveMeds = append(c.ActiveMeds, a)
	}
	for range rapid.IntRange(0, 2).Draw(t, "allergies") {
		a := Allergy{Severity: rapid.SampledFrom(reactions).Draw(t, "severity")}
		if rapid.Bool().Draw(t, "group") {
			a.Group = rapid.SampledFrom(keys(kb.Groups)).Draw(t, "group")
		} else {
			a.Ingredient = rapid.SampledFrom(keys(kb.Ingredients)).Draw(t, "ingredient")
		}
		c.Allergies = append(c.Allergies, a)
	}
	for range rapid.IntRange(1, 6).Draw(t, "items") {
		c.Items = append(c.Items, drawItem(t, kb))
	}
	if err := c.Validate(kb); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOrderNeverChangesAlerts(t *testing.T) {
	kb := knowledge(t)
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t, kb)
		want := Run(kb, c)
		c.Items = rapid.Permutation(c.Items).Draw(t, "items")
		c.ActiveMeds = rapid.Permutation(c.ActiveMeds).Draw(t, "active")
		c.Allergies = rapid.Permutation(c.Allergies).Draw(t, "allergies")
		c.Patient.Conditions = rapid.Permutation(c.Patient.Conditions).Draw(t, "conditions")
		if got := Run(kb, c); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v\n%+v", got, want)
		}
	})
}

func bySeverity(r Result) map[string]Severity {
	m := map[string]Severity{}
	for _, a := range r.Alerts {
		m[a.Key] = a.Severity
	}
	return m
}

func TestAnotherDrugRemovesNoContraindication(t *testing.T) {
	kb := knowledge(t)
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t, kb)
		before := Run(kb, c)
		c.Items = append(slices.Clone(c.Items), drawItem(t, kb))
		after := bySeverity(Run(kb, c))
		for _, a := range before.Alerts {
			if a.Severity == formulary.Contraindicated && after[a.Key] != formulary.Contraindicated {
				t.Fatalf("%s was contraindicated and is %q", a.Key, after[a.Key])
			}
		}
	})
}

func TestMoreOfADrugLowersNothing(t *testing.T) {
	kb := knowledge(t)
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t, kb)
		before := Run(kb, c)
		c.Items = slices.Clone(c.Items)
		i := rapid.IntRange(0, len(c.Items)-1).Draw(t, "item")
		more := func(d formulary.Decimal) formulary.Decimal {
			if d.IsZero() {
				return d
			}
			return decimal(rapid.SampledFrom([]string{"1" + d.String(), d.String() + "0", "99999"}).Filter(func(s string) bool {
				return decimal(s).Ratio().Cmp(d.Ratio()) >= 0
			}).Draw(t, "more"))
		}
		c.Items[i].Dose, c.Items[i].Units = more(c.Items[i].Dose), more(c.Items[i].Units)
		after := Run(kb, c)
		if slices.Index(decisions[:], after.Decision) < slices.Index(decisions[:], before.Decision) {
			t.Fatalf("%s became %s", before.Decision, after.Decision)
		}
		now := bySeverity(after)
		for _, a := range before.Alerts {
			// The day's total takes the word of the single dose.
			told := a.Type == "dose_single_max" && now["dose_daily_max:"+a.About[0]] >= a.Severity
			if now[a.Key] < a.Severity && !told {
				t.Fatalf("%s was %s and is %q", a.Key, a.Severity, now[a.Key])
			}
		}
	})
}

func FuzzReadCases(f *testing.F) {
	for _, name := range []string{"testdata/cases.yaml", "testdata/stories.yaml"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, one := range bytes.Split(raw, []byte("\n  - ")) {
			f.Add(append([]byte("cases:\n  - "), one...))
		}
	}
	kb := knowledge(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, cases, err := ReadCases(kb, bytes.NewReader(raw))
		if err != nil {
			return
		}
		for _, c := range cases {
			want := Run(kb, c)
			stored, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			_, again, err := ReadCases(kb, bytes.NewReader(stored))
			if err != nil {
				t.Fatalf("a stored case is not read back: %v\n%s", err, stored)
			}
			if got := Run(kb, again[0]); !reflect.DeepEqual(got, want) {
				t.Fatalf("a stored case is judged differently\n%+v\n%+v", got, want)
			}
		}
	})
}

// Five new drugs beside eight active ones: a full day in a chronic clinic.
func BenchmarkRun(b *testing.B) {
	kb := knowledge(b)
	age := Whole(72)
	c := Case{
		Context: Context{Channel: "online", Type: "long"},
		Patient: Patient{AgeYears: &age, Sex: "M", Conditions: []string{"I10", "E11", "I50", "I48", "N18.4"}, Creatinine: decimal("150")},
	}
	for _, id := range []string{"warfarin", "amlodipine", "metformin", "digoxin", "furosemide", "spironolactone", "omeprazole", "citalopram"} {
		c.ActiveMeds = append(c.ActiveMeds, Active{Ingredient: id, DailyDose: decimal("20"), Unit: "mg"})
	}
	for _, id := range []string{"simvastatin", "ibuprofen", "clarithromycin", "valsartan", "allopurinol"} {
		c.Items = append(c.Items, Item{Ingredient: id, Dose: decimal("40"), Unit: "mg", PerDay: decimal("2"), Days: 28})
	}
	if err := c.Validate(kb); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		Run(kb, c)
	}
}
