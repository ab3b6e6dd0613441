package formulary

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// keys of the tables: what makes two rows the same row. A hospital's row replaces the one with its key.
var keys = map[string][]string{
	"codes": {"kind", "code"}, "ingredients": {"id"}, "classes": {"class"}, "combinations": {"id"},
	"dose_limits": {"ingredient", "kind", "route", "age_min_years", "age_max_years", "icd10_prefixes"},
	"renal":       {"target_type", "target", "egfr_below", "action"}, "contraindications": {"id"}, "interactions": {"id"},
	"duplicate_classes": {"class"}, "allergy_groups": {"group"}, "allergy_cross": {"from_group", "to_group"},
	"controlled": {"ingredient", "scope"}, "online_retail_ban": {"ingredient"}, "rx_rules": {"id"}, "chronic_conditions": {"icd10_prefix"},
	"trade_names": {"name_zh", "target"}, "usual_use": {"target", "dose", "per_day", "per_week"}, "pinyin": {"reading"},
}

// manifest names the files of a knowledge folder with their SHA-256, as sha256sum writes them.
const manifest = "SHA256SUMS"

// Tables is a set of tables by name, each a CSV file. It is the form in which knowledge is changed.
type Tables map[string][]byte

// Shipped are the tables inside the binary.
func Shipped() (Tables, error) {
	data, err := fs.Sub(embedded, "data")
	if err != nil {
		return nil, err
	}
	t := Tables{}
	for _, table := range tables {
		if t[table.name], err = fs.ReadFile(data, table.name+".csv"); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Open reads a knowledge folder that Files made. A table that is missing or altered by one byte refuses the whole:
// half of the knowledge is worse than none, because nobody would notice.
func Open(dir fs.FS) (*Knowledge, error) {
	t, err := Load(dir)
	if err != nil {
		return nil, err
	}
	return t.Read()
}

// Load is Open without understanding the tables.
func Load(dir fs.FS) (Tables, error) {
	sums, err := fs.ReadFile(dir, manifest)
	if err != nil {
		return nil, fmt.Errorf("formulary: %w", err)
	}
	t := Tables{}
	for _, table := range tables {
		raw, err := fs.ReadFile(dir, table.name+".csv")
		if err != nil {
			return nil, fmt.Errorf("formulary: %w", err)
		}
		if !strings.Contains(string(sums), sumLine(table.name, raw)) {
			return nil, fmt.Errorf("formulary: %s.csv is not what was imported: its SHA-256 is not in %s", table.name, manifest)
		}
		t[table.name] = raw
	}
	return t, nil
}

func sumLine(table string, raw []byte) string {
	return fmt.Sprintf("%x  %s.csv\n", sha256.Sum256(raw), table)
}

// Files are the files of a knowledge folder, by name.
func (t Tables) Files() map[string][]byte {
	files, sums := map[string][]byte{}, ""
	for _, table := range tables {
		files[table.name+".csv"] = t[table.name]
		sums += sumLine(table.name, t[table.name])
	}
	files[manifest] = []byte(sums)
	return files
}

// Read resolves every reference of the tables.
func (t Tables) Read() (*Knowledge, error) {
	return read(func(name string) ([]byte, error) { return t[name], nil })
}

// Lay puts a folder of tables over these: a row with a known key replaces that row, another is added. Nothing is
// taken away, so that no overlay silences a check by omission. A folder need not hold all tables.
func (t Tables) Lay(over fs.FS) (Tables, error) {
	out, found := Tables{}, false
	for _, table := range tables {
		out[table.name] = t[table.name]
		raw, err := fs.ReadFile(over, table.name+".csv")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = true
		if out[table.name], err = lay(table, t[table.name], raw); err != nil {
			return nil, fmt.Errorf("%s.csv: %w", table.name, err)
		}
	}
	if !found {
		return nil, errors.New("the folder holds no table of the formulary (such as interactions.csv)")
	}
	return out, nil
}

func lay(table table, base, over []byte) ([]byte, error) {
	rows, err := records(table, base)
	if err != nil {
		return nil, err
	}
	more, err := records(table, over)
	if err != nil {
		return nil, err
	}
	source := slices.Index(more[0], "src")
	for i, row := range more[1:] {
		if source >= 0 && row[source] == "" {
			return nil, fmt.Errorf("line %d: every row keeps its source: src is empty", i+2)
		}
		at := slices.IndexFunc(rows, func(r []string) bool { return keyOf(table, r) == keyOf(table, row) })
		if at > 0 {
			rows[at] = row
		} else {
			rows = append(rows, row)
		}
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	if err := w.WriteAll(rows); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func records(table table, raw []byte) ([][]string, error) {
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || strings.Join(rows[0], ",") != table.header {
		return nil, fmt.Errorf("the header is not %s", table.header)
	}
	return rows, nil
}

func keyOf(table table, row []string) string {
	var parts []string
	for i, column := range strings.Split(table.header, ",") {
		if slices.Contains(keys[table.name], column) {
			parts = append(parts, row[i])
		}
	}
	return strings.Join(parts, ":")
}

// Change is one row that differs between two sets of tables.
type Change struct {
	Table  string       `json:"table"`
	Key    string       `json:"key"`
	What   string       `json:"what" enum:"added,changed,removed"`
	Fields []Difference `json:"fields,omitempty"`
	Source string       `json:"source,omitempty"`
}

// Difference is one column of a changed row.
type Difference struct {
	Column string `json:"column"`
	Was    string `json:"was"`
	Is     string `json:"is"`
}

// Diff lists every row that newer adds, changes or lacks, table by table.
func (t Tables) Diff(newer Tables) ([]Change, error) {
	changes := []Change{}
	for _, table := range tables {
		was, err := records(table, t[table.name])
		if err != nil {
			return nil, err
		}
		is, err := records(table, newer[table.name])
		if err != nil {
			return nil, err
		}
		old := map[string][]string{}
		for _, row := range was[1:] {
			old[keyOf(table, row)] = row
		}
		source := slices.Index(was[0], "src")
		for _, row := range is[1:] {
			c := Change{Table: table.name, Key: keyOf(table, row), What: "added"}
			if source >= 0 {
				c.Source = row[source]
			}
			if before, known := old[c.Key]; known {
				c.What = "changed"
				for i, column := range was[0] {
					if before[i] != row[i] {
						c.Fields = append(c.Fields, Difference{column, before[i], row[i]})
					}
				}
				delete(old, c.Key)
				if c.Fields == nil {
					continue
				}
			}
			changes = append(changes, c)
		}
		for _, row := range was[1:] {
			if key := keyOf(table, row); old[key] != nil {
				changes = append(changes, Change{Table: table.name, Key: key, What: "removed"})
			}
		}
	}
	return changes, nil
}
