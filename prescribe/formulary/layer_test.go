package formulary

import (
	"strings"
	"testing"
	"testing/fstest"
)

func shipped(t *testing.T) Tables {
	t.Helper()
	tables, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func folder(files map[string][]byte) fstest.MapFS {
	dir := fstest.MapFS{}
	for name, raw := range files {
		dir[name] = &fstest.MapFile{Data: raw}
	}
	return dir
}

const ownLimit = "ingredient,kind,value,unit,route,age_min_years,age_max_years,icd10_prefixes,severity,src,note\n"

// A hospital tightens one limit and adds another; everything else stays.
func TestOverlay(t *testing.T) {
	base := shipped(t)
	over, err := base.Lay(folder(map[string][]byte{"dose_limits.csv": []byte(ownLimit +
		"citalopram,max_daily,10,mg,po,60,,,contraindicated,HOSPITAL_2026_7,own limit\n" +
		"amlodipine,max_daily,5,mg,po,80,,,major,HOSPITAL_2026_7,own limit\n")}))
	if err != nil {
		t.Fatal(err)
	}
	changes, err := base.Diff(over)
	if err != nil || len(changes) != 2 {
		t.Fatalf("%+v, %v", changes, err)
	}
	if c := changes[0]; c.What != "changed" || c.Key != "citalopram:max_daily:po:60::" || c.Source != "HOSPITAL_2026_7" ||
		len(c.Fields) != 4 || c.Fields[0] != (Difference{"value", "20", "10"}) {
		t.Errorf("%+v", c)
	}
	if c := changes[1]; c.What != "added" || !strings.HasPrefix(c.Key, "amlodipine") {
		t.Errorf("%+v", c)
	}
	if back, err := over.Diff(base); err != nil || len(back) != 2 || back[1].What != "removed" {
		t.Errorf("%+v, %v", back, err)
	}
	kb, err := Open(folder(over.Files()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(kb.Ingredients["amlodipine"].Limits); n != 1 {
		t.Errorf("amlodipine has %d limits of its own", n)
	}
	plain, err := base.Read()
	if err != nil || plain.Version == kb.Version {
		t.Errorf("the version does not follow the overlay, %v", err)
	}
}

func TestOverlayThatIsRefused(t *testing.T) {
	for _, c := range []struct{ story, file, text, says string }{
		{"a row without a source", "dose_limits.csv", ownLimit + "citalopram,max_daily,10,mg,po,60,,,major,,\n", "src is empty"},
		{"a header of its own", "dose_limits.csv", "drug,limit\na,b\n", "the header is not"},
		{"nothing of ours", "limits.csv", ownLimit, "holds no table"},
	} {
		if _, err := shipped(t).Lay(folder(map[string][]byte{c.file: []byte(c.text)})); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.story, err)
		}
	}
	over, err := shipped(t).Lay(folder(map[string][]byte{"dose_limits.csv": []byte(ownLimit + "panacea,max_daily,10,mg,po,60,,,major,X,\n")}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := over.Read(); err == nil || !strings.Contains(err.Error(), `unknown ingredient "panacea"`) {
		t.Errorf("a drug nobody knows: %v", err)
	}
}

// Every table, altered by one byte or gone, refuses the whole.
func TestDamagedFolder(t *testing.T) {
	whole := shipped(t).Files()
	if _, err := Open(folder(whole)); err != nil {
		t.Fatal(err)
	}
	for name := range whole {
		damaged, missing := map[string][]byte{}, map[string][]byte{}
		for other, raw := range whole {
			damaged[other] = raw
			if other == name {
				damaged[other] = append([]byte(nil), raw...)
				damaged[other][len(raw)/2] ^= 1
				continue
			}
			missing[other] = raw
		}
		for what, files := range map[string]map[string][]byte{"damaged": damaged, "missing": missing} {
			if _, err := Open(folder(files)); err == nil {
				t.Errorf("%s is %s and was read", name, what)
			}
		}
	}
}
