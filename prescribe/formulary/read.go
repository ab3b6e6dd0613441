package formulary

import (
	"crypto/sha256"
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"yuanzhen/internal/fault"
)

//go:embed data/*.csv
var embedded embed.FS

// Default is the knowledge that ships with the binary.
var Default = sync.OnceValues(func() (*Knowledge, error) {
	data, err := fs.Sub(embedded, "data")
	if err != nil {
		return nil, err
	}
	return Read(data)
})

// Read loads all tables and refuses the whole if one reference, number or code in them does not resolve.
// The error lists every fault with its table and line.
func Read(data fs.FS) (*Knowledge, error) {
	return read(func(name string) ([]byte, error) { return fs.ReadFile(data, name+".csv") })
}

func read(text func(table string) ([]byte, error)) (*Knowledge, error) {
	r := &reader{classes: map[string]class{}, k: &Knowledge{
		Ingredients: map[string]*Ingredient{}, Products: map[string]*Product{}, Groups: map[string]*Group{},
		Rules: map[string]*Rule{}, texts: map[string]fault.Text{},
		crossings: map[[2]string]Crossing{}, readings: map[rune][]string{},
		trade: map[string][]fault.Text{}, usual: map[string][]Use{},
	}}
	hash := sha256.New()
	for _, t := range tables {
		raw, err := text(t.name)
		if err != nil {
			return nil, fmt.Errorf("formulary: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n%s", t.name, len(raw), raw)
		r.table(t, string(raw))
	}
	if len(r.errs) > 0 {
		return nil, fmt.Errorf("formulary: %w", errors.Join(r.errs...))
	}
	r.k.Version = fmt.Sprintf("draft-1+%x", hash.Sum(nil)[:6])
	r.k.index()
	return r.k, nil
}

// tables in an order in which each refers only to earlier ones.
var tables = []table{
	{"codes", "kind,code,name_zh,name_en", (*reader).code},
	{"ingredients", "id,inn,name_zh,atc,atc_level,atc_check,rxcui,forms,main_route,adult_daily_low,adult_daily_usual_high," +
		"adult_daily_max,adult_single_max,dose_unit,pregnancy,lactation,renal_flag,ctrl_class,abx_grade,online_retail_ban," +
		"chronic_use,paed_min_age_months,paed_min_age_level,paed_max_per_kg_day,paed_daily_cap,neml_2026,dose_check,src", (*reader).ingredient},
	{"classes", "class,name_zh,name_en,members", (*reader).class},
	{"combinations", "id,name_zh,components,other_components,kind", (*reader).product},
	{"dose_limits", "ingredient,kind,value,unit,route,age_min_years,age_max_years,icd10_prefixes,severity,src,note", (*reader).limit},
	{"renal", "target_type,target,egfr_below,action,max_daily,unit,src", (*reader).renal},
	{"contraindications", "id,target_type,target,icd10_prefixes,severity,tier,reason,age_max_years,src", (*reader).contraindication},
	{"interactions", "id,a_type,a,b_type,b,severity,tier,mechanism,effect,management,cap_ingredient,cap_max_daily,cap_unit," +
		"qualifier,src,cross_check", (*reader).interaction},
	{"duplicate_classes", "class,severity,note", (*reader).duplicate},
	{"allergy_groups", "group,name_zh,name_en,members", (*reader).group},
	{"allergy_cross", "from_group,to_group,severity,basis", (*reader).crossing},
	{"controlled", "ingredient,scope,class,since,src", (*reader).control},
	{"online_retail_ban", "ingredient,reason,src", (*reader).retailBan},
	{"rx_rules", "id,name_zh,name_en,param,value,severity,overridable_by,src,check", (*reader).rule},
	{"chronic_conditions", "icd10_prefix,name_zh,name_en,default_days,max_days,condition", (*reader).chronic},
	{"trade_names", "name_zh,name_en,target,src", (*reader).tradeName},
	{"usual_use", "target,dose,unit,per_day,per_week,src", (*reader).usualUse},
	{"pinyin", "reading,characters,src", (*reader).pinyin},
}

type table struct {
	name, header string
	read         func(*reader, row)
}

type class struct {
	name    fault.Text
	members []*Ingredient
}

type reader struct {
	k       *Knowledge
	classes map[string]class
	errs    []error
	at      string // table and line being read
}

type row map[string]string

func (r *reader) fail(format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf(r.at+": "+format, args...))
}

func (r *reader) table(t table, text string) {
	r.at = t.name
	in := csv.NewReader(strings.NewReader(text))
	records, err := in.ReadAll()
	if err != nil {
		r.fail("%w", err)
		return
	}
	if len(records) == 0 || strings.Join(records[0], ",") != t.header {
		r.fail("the header is not %s", t.header)
		return
	}
	seen := map[string]bool{}
	for i, record := range records[1:] {
		r.at = fmt.Sprintf("%s line %d", t.name, i+2)
		if key := keyOf(t, record); seen[key] {
			r.fail("%s is there twice", key)
		} else {
			seen[key] = true
		}
		values := row{}
		for j, column := range records[0] {
			values[column] = record[j]
		}
		t.read(r, values)
	}
}

func (r *reader) code(v row) {
	r.k.texts[v["kind"]+":"+v["code"]] = fault.Text{ZH: v["name_zh"], EN: v["name_en"]}
}

func (r *reader) ingredient(v row) {
	i := &Ingredient{
		ID: v["id"], Name: fault.Text{ZH: v["name_zh"], EN: v["inn"]}, ATC: v["atc"], RxCUI: v["rxcui"], Forms: list(v["forms"]),
		MainRoute: r.oneOf(v, "main_route", Routes...), Unit: v["dose_unit"],
		UsualLow: r.amount(v, "adult_daily_low", "dose_unit"), UsualHigh: r.amount(v, "adult_daily_usual_high", "dose_unit"),
		DailyMax: r.amount(v, "adult_daily_max", "dose_unit"), SingleMax: r.amount(v, "adult_single_max", "dose_unit"),
		Pregnancy: r.oneOf(v, "pregnancy", "", "contra", "avoid", "contra_t3", "caution", "ok"),
		Lactation: r.oneOf(v, "lactation", "", "contra", "avoid", "caution", "ok"),

		Antibacterial: r.oneOf(v, "abx_grade", "", "nonrestricted", "restricted", "special"),
		Chronic:       r.oneOf(v, "chronic_use", "0", "1") == "1",
		MinAgeMonths:  r.number(v, "paed_min_age_months"), MinAgeLevel: r.oneOf(v, "paed_min_age_level", "", "contra", "avoid"),
		PerKgDay: r.amount(v, "paed_max_per_kg_day", "dose_unit"), ChildDailyCap: r.amount(v, "paed_daily_cap", "dose_unit"),
		Essential: r.oneOf(v, "neml_2026", "0", "1") == "1", Sources: strings.Split(v["src"], ";"),
	}
	var err error
	if i.None, err = NewAmount(Decimal{}, i.Unit); err != nil {
		r.fail("%w", err)
	}
	for _, form := range i.Forms {
		if !slices.Contains(Forms, form) {
			r.fail("unknown form %q", form)
		}
	}
	if (i.MinAgeMonths > 0) != (i.MinAgeLevel != "") {
		r.fail("a least age needs a level, and a level an age")
	}
	if _, twice := r.k.Ingredients[i.ID]; twice || i.ID == "" {
		r.fail("ingredient %q is there twice or has no id", i.ID)
	}
	i.With, i.Twins = map[*Ingredient][]*Interaction{}, map[*Ingredient][]Duplicate{}
	r.k.Ingredients[i.ID] = i
}

// Routes of administration a case may name; the local ones reach the blood in no amount that matters.
var (
	Routes      = append([]string{"po", "sl", "buc", "iv", "im", "sc", "id", "inh", "neb", "td", "pr"}, LocalRoutes...)
	LocalRoutes = []string{"top", "oph", "ot", "nas", "vag"}
)

// Forms of presentation: tablet, capsule, granules, liquid, injection, sustained release, eye, skin, ear,
// vaginal, nebuliser, spray, patch, nose, inhaler, suppository, sublingual.
var Forms = []string{"tab", "cap", "gran", "sol", "inj", "sr", "oph", "top", "ot", "vag", "neb", "spray", "pat", "nas", "inh", "sup", "sl"}

func (r *reader) class(v row) {
	r.classes[v["class"]] = class{name(v), r.members(v)}
}

func (r *reader) product(v row) {
	p := &Product{ID: v["id"], Name: fault.Text{ZH: v["name_zh"], EN: strings.ReplaceAll(v["id"], "_", " ")},
		Others: v["other_components"], Kind: r.oneOf(v, "kind", "fdc", "cold", "tcm_with_western")}
	for _, part := range list(v["components"]) {
		f := strings.Split(part, ":")
		if len(f) != 3 {
			r.fail("component %q is not ingredient:strength:unit", part)
			continue
		}
		c := Component{r.known(f[0]), r.amountOf(f[1], f[2])}
		r.sameKind(c.Ingredient, c.Strength)
		p.Components = append(p.Components, c)
	}
	if len(p.Components) == 0 {
		r.fail("product %s has no component", p.ID)
	}
	r.k.Products[p.ID] = p
}

func (r *reader) limit(v row) {
	l := Limit{
		Row: "dose_limits:" + v["ingredient"] + ":" + v["kind"], Kind: v["kind"], Route: r.oneOf(v, "route", Routes...),
		AgeMin: r.decimal(v, "age_min_years"), AgeMax: r.decimal(v, "age_max_years"), ICD10: list(v["icd10_prefixes"]),
		Severity: r.severity(v), Source: v["src"], Note: v["note"],
	}
	switch l.Kind {
	case "max_daily", "max_single", "weekly_only", "weekly_only_if_single_ge":
		l.Amount = r.amountOf(v["value"], v["unit"])
	case "max_duration_d", "max_dispense_d":
		l.Days = r.number(v, "value")
	default:
		r.fail("unknown kind of limit %q", l.Kind)
	}
	i := r.known(v["ingredient"])
	r.sameKind(i, l.Amount)
	i.Limits = append(i.Limits, l)
}

func (r *reader) renal(v row) {
	n := Renal{Row: "renal:" + v["target"] + "<" + v["egfr_below"], Below: r.number(v, "egfr_below"),
		Action: r.oneOf(v, "action", "monitor", "reduce", "avoid", "contra"), DailyMax: r.amount(v, "max_daily", "unit"), Source: v["src"]}
	for _, i := range r.target(v["target_type"], v["target"]) {
		r.sameKind(i, n.DailyMax)
		i.Renal = append(i.Renal, n)
	}
}

func (r *reader) contraindication(v row) {
	c := Contraindication{Row: "contraindications:" + v["id"], ICD10: list(v["icd10_prefixes"]), Severity: r.severity(v),
		Tier: r.tier(v), Reason: r.wording("reason", v["reason"]), AgeMax: r.number(v, "age_max_years"), Source: v["src"]}
	for _, i := range r.target(v["target_type"], v["target"]) {
		i.Against = append(i.Against, c)
	}
}

func (r *reader) interaction(v row) {
	why, effect, todo := r.wording("mech", v["mechanism"]), r.wording("eff", v["effect"]), r.wording("mgmt", v["management"])
	x := &Interaction{
		Row: "interactions:" + v["id"], Severity: r.severity(v), Tier: r.tier(v), Qualifier: v["qualifier"],
		Because: fault.Text{ZH: "合用：" + why.ZH + "，可致" + effect.ZH + "。", EN: ". " + why.EN + ". Effect: " + effect.EN + "."},
		Remedy:  fault.Text{ZH: todo.ZH + "。", EN: todo.EN + "."},
	}
	x.Evidence = slices.Clip(append([]string{x.Row}, strings.Split(v["src"], ";")...))
	if v["cap_ingredient"] != "" {
		x.CapOf, x.Cap = r.known(v["cap_ingredient"]), r.amount(v, "cap_max_daily", "cap_unit")
		r.sameKind(x.CapOf, x.Cap)
	}
	if (v["management"] == "DOSE_CAP") != !x.Cap.IsZero() {
		r.fail("DOSE_CAP needs a cap, and a cap DOSE_CAP")
	}
	for _, side := range []string{v["a_type"], v["b_type"]} {
		if side == "ingredient" {
			x.Specific++
		}
	}
	for _, a := range r.target(v["a_type"], v["a"]) {
		for _, b := range r.target(v["b_type"], v["b"]) {
			if a != b && !slices.Contains(a.With[b], x) {
				both(a, b, func(i, k *Ingredient) { i.With[k] = append(i.With[k], x) })
			}
		}
	}
}

func (r *reader) duplicate(v row) {
	c := r.classes[v["class"]]
	d := Duplicate{v["class"], c.name, r.severity(v), v["note"]}
	members := r.target("class", v["class"])
	for i, a := range members {
		for _, b := range members[i+1:] {
			both(a, b, func(i, k *Ingredient) { i.Twins[k] = append(i.Twins[k], d) })
		}
	}
}

// both puts what two ingredients have with each other under either.
func both(a, b *Ingredient, put func(i, k *Ingredient)) {
	put(a, b)
	put(b, a)
}

func (r *reader) group(v row) {
	r.k.Groups[v["group"]] = &Group{v["group"], name(v), list(v["members"])}
	for _, i := range r.members(v) {
		i.Groups = append(i.Groups, v["group"])
	}
}

func (r *reader) crossing(v row) {
	for _, side := range []string{"from_group", "to_group"} {
		if r.k.Groups[v[side]] == nil {
			r.fail("%s: unknown group %q", side, v[side])
		}
	}
	r.k.crossings[[2]string{v["from_group"], v["to_group"]}] =
		Crossing{"allergy_cross:" + v["from_group"] + "→" + v["to_group"], r.severity(v), v["basis"]}
}

func (r *reader) control(v row) {
	i := r.known(v["ingredient"])
	i.Control = append(i.Control, Control{
		Row: "controlled:" + v["ingredient"] + ":" + v["scope"], Since: v["since"], Source: v["src"],
		Scope: r.oneOf(v, "scope", "any", "single", "compound", "compound_oral_liquid", "compound_oral_le_5mg", "form_pat", "form_inj", "other_forms"),
		Class: r.oneOf(v, "class", "narcotic", "psych1", "psych2", "toxic", "radioactive", "precursor"),
	})
}

func (r *reader) retailBan(v row) {
	i := r.known(v["ingredient"])
	i.RetailBans = append(i.RetailBans, RetailBan{"online_retail_ban:" + v["ingredient"],
		r.oneOf(v, "reason", "list2022", "law61", "ephedrine_compound", "narcotic_compound", "anabolic_catalogue"), v["src"]})
}

func (r *reader) rule(v row) {
	rule := &Rule{ID: v["id"], Name: name(v), Value: v["value"], Severity: r.severity(v), Overriders: v["overridable_by"], Source: v["src"]}
	rule.Limit, _ = strconv.Atoi(v["value"])
	r.k.Rules[rule.ID] = rule
}

func (r *reader) chronic(v row) {
	r.k.Chronic = append(r.k.Chronic, Chronic{v["icd10_prefix"], name(v), r.number(v, "default_days"), r.number(v, "max_days"), v["condition"]})
}

// tradeName is another name to search by; what is prescribed keeps its generic name.
func (r *reader) tradeName(v row) {
	r.medicine(v["target"])
	r.k.trade[v["target"]] = append(r.k.trade[v["target"]], name(v))
}

// usualUse is refused above the limits that the checks hold: nobody shall be offered what is then warned of.
func (r *reader) usualUse(v row) {
	u := Use{Dose: v["dose"], Unit: v["unit"], PerDay: r.number(v, "per_day"), PerWeek: r.number(v, "per_week"), Source: v["src"]}
	if (u.PerDay > 0) == (u.PerWeek > 0) {
		r.fail("one of per_day and per_week")
	}
	if i := r.k.Ingredients[v["target"]]; i != nil {
		once := r.amountOf(u.Dose, u.Unit)
		r.sameKind(i, once)
		if once.Over(i.SingleMax) || once.Times(NewRatio(uint64(u.PerDay), 1)).Over(i.DailyMax) {
			r.fail("%s: the usual use is above its own limit", i.ID)
		}
	} else if _, err := ParseDecimal(u.Dose); err != nil || u.Unit != "" {
		r.fail("a product is taken by number, without a unit")
	}
	r.medicine(v["target"])
	r.k.usual[v["target"]] = append(r.k.usual[v["target"]], u)
}

func (r *reader) pinyin(v row) {
	if strings.Trim(v["reading"], "abcdefghijklmnopqrstuvwxyz") != "" || v["reading"] == "" {
		r.fail("reading: %q is not pinyin without tones", v["reading"])
		return
	}
	for _, c := range v["characters"] {
		r.k.readings[c] = append(r.k.readings[c], v["reading"])
	}
}

// medicine refuses what is neither an ingredient nor a product.
func (r *reader) medicine(id string) {
	if r.k.Ingredients[id] == nil && r.k.Products[id] == nil {
		r.fail("unknown medicine %q", id)
	}
}

func name(v row) fault.Text { return fault.Text{ZH: v["name_zh"], EN: v["name_en"]} }

func list(cell string) []string {
	if cell == "" {
		return nil
	}
	return strings.Split(cell, "|")
}

// known is never nil, so that reading goes on and reports the next fault too.
func (r *reader) known(id string) *Ingredient {
	if i := r.k.Ingredients[id]; i != nil {
		return i
	}
	r.fail("unknown ingredient %q", id)
	return &Ingredient{ID: id, With: map[*Ingredient][]*Interaction{}, Twins: map[*Ingredient][]Duplicate{}}
}

// sameKind refuses a limit that could never be compared with the doses of its ingredient.
func (r *reader) sameKind(i *Ingredient, a Amount) {
	if !a.IsZero() && a.base != units[i.Unit].base {
		r.fail("%s is dosed in %s, not in %s", i.ID, i.Unit, a.base)
	}
}

func (r *reader) members(v row) []*Ingredient {
	var found []*Ingredient
	for _, id := range list(v["members"]) {
		found = append(found, r.known(id))
	}
	if len(found) == 0 {
		r.fail("no members")
	}
	return found
}

func (r *reader) target(kind, id string) []*Ingredient {
	switch kind {
	case "ingredient":
		return []*Ingredient{r.known(id)}
	case "class":
		if c, ok := r.classes[id]; ok {
			return c.members
		}
		r.fail("unknown class %q", id)
	default:
		r.fail("unknown kind of target %q", kind)
	}
	return nil
}

func (r *reader) oneOf(v row, column string, allowed ...string) string {
	if !slices.Contains(allowed, v[column]) {
		r.fail("%s: unknown value %q", column, v[column])
	}
	return v[column]
}

func (r *reader) severity(v row) (s Severity) {
	if err := s.UnmarshalText([]byte(v["severity"])); err != nil {
		r.fail("%w", err)
	}
	return s
}

func (r *reader) tier(v row) string {
	return r.oneOf(v, "tier", "hard_stop", "interruptive", "passive")
}

func (r *reader) wording(kind, code string) fault.Text {
	text := r.k.Text(kind, code)
	if text.ZH == "" || text.EN == "" {
		r.fail("code %s:%s lacks its wording", kind, code)
	}
	return text
}

func (r *reader) number(v row, column string) int {
	if v[column] == "" {
		return 0
	}
	n, err := strconv.Atoi(v[column])
	if err != nil || n < 0 {
		r.fail("%s: %q is not a whole number", column, v[column])
	}
	return n
}

func (r *reader) decimal(v row, column string) (d Decimal) {
	if err := d.UnmarshalText([]byte(v[column])); err != nil {
		r.fail("%s: %w", column, err)
	}
	return d
}

func (r *reader) amount(v row, column, unit string) Amount {
	if v[column] == "" {
		return Amount{}
	}
	return r.amountOf(v[column], v[unit])
}

func (r *reader) amountOf(value, unit string) Amount {
	d, err := ParseDecimal(value)
	if err != nil {
		r.fail("%w", err)
		return Amount{}
	}
	a, err := NewAmount(d, unit)
	if err != nil {
		r.fail("%w", err)
	}
	return a
}
