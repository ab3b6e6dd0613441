package formulary

import (
	"cmp"
	"slices"
	"strings"

	"yuanzhen/internal/fault"
)

// Found is an ingredient or a product that answers a search; exactly one of the two is set.
type Found struct {
	Ingredient *Ingredient
	Product    *Product
}

// Name in both languages.
func (f Found) Name() fault.Text {
	if f.Product != nil {
		return f.Product.Name
	}
	return f.Ingredient.Name
}

type entry struct {
	found Found
	keys  []string // Chinese name, INN and ATC code in lower case
}

func (k *Knowledge) index() {
	k.coded = map[string]*Ingredient{}
	for _, i := range k.Ingredients {
		for _, code := range []string{"http://www.whocc.no/atc " + i.ATC, "http://www.nlm.nih.gov/research/umls/rxnorm " + i.RxCUI} {
			if _, taken := k.coded[code]; taken {
				k.coded[code] = nil
			} else if !strings.HasSuffix(code, " ") {
				k.coded[code] = i
			}
		}
	}
	for _, i := range k.Ingredients {
		k.searched = append(k.searched, entry{Found{Ingredient: i}, []string{i.Name.ZH, strings.ToLower(i.Name.EN), strings.ToLower(i.ATC)}})
	}
	for _, p := range k.Products {
		k.searched = append(k.searched, entry{Found{Product: p}, []string{p.Name.ZH, p.Name.EN}})
	}
	slices.SortFunc(k.searched, func(a, b entry) int {
		return cmp.Or(cmp.Compare(len(a.keys[0]), len(b.keys[0])), cmp.Compare(a.keys[0], b.keys[0]))
	})
}

// Search finds medicines by a part of the Chinese name, the INN or the ATC code: names that begin with q
// first, then names that contain it, shorter names first. At most limit are returned.
func (k *Knowledge) Search(q string, limit int) []Found {
	q = strings.ToLower(strings.TrimSpace(q))
	if q == "" {
		return nil
	}
	var begin, within []Found
	for _, e := range k.searched {
		switch {
		case slices.ContainsFunc(e.keys, func(key string) bool { return strings.HasPrefix(key, q) }):
			begin = append(begin, e.found)
		case slices.ContainsFunc(e.keys, func(key string) bool { return strings.Contains(key, q) }):
			within = append(within, e.found)
		}
	}
	found := append(begin, within...)
	return found[:min(limit, len(found))]
}
