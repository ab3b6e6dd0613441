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
	As         fault.Text // the trade name that was asked for, if it was one
}

// Name in both languages.
func (f Found) Name() fault.Text {
	if f.Product != nil {
		return f.Product.Name
	}
	return f.Ingredient.Name
}

// entry is one name under which a medicine is looked for.
type entry struct {
	found     Found
	zh        []rune // in lower case, as written
	keys      []string
	essential bool
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
		k.add(i.ID, Found{Ingredient: i}, i.Essential, i.Name, i.ATC)
	}
	for _, p := range k.Products {
		k.add(p.ID, Found{Product: p}, false, p.Name)
	}
	slices.SortFunc(k.searched, func(a, b entry) int {
		return cmp.Or(cmp.Compare(len(a.zh), len(b.zh)), cmp.Compare(a.keys[0], b.keys[0]), cmp.Compare(a.found.Name().ZH, b.found.Name().ZH))
	})
}

func (k *Knowledge) add(id string, found Found, essential bool, name fault.Text, codes ...string) {
	keys := []string{strings.ToLower(name.ZH)}
	for _, key := range append(codes, name.EN) {
		if key != "" {
			keys = append(keys, strings.ToLower(key))
		}
	}
	k.searched = append(k.searched, entry{found, []rune(keys[0]), keys, essential})
	if found.As != (fault.Text{}) {
		return
	}
	for _, trade := range k.trade[id] {
		found.As = trade
		k.add(id, found, essential, trade)
	}
}

// Search finds medicines by Chinese generic or trade name, INN, ATC code, or pinyin: "aldp", "anlvdiping" and
// "anlvdp" all find 氨氯地平. A name that is q comes before one that begins with it, then one that contains it; as
// written before as spelt; then essential medicines, then shorter names. Each medicine once, at most limit.
func (k *Knowledge) Search(q string, limit int) []Found {
	q = strings.ToLower(strings.TrimSpace(q))
	if q == "" {
		return nil
	}
	type hit struct {
		rank int
		entry
	}
	var hits []hit
	for _, e := range k.searched {
		if rank := 2 * k.rank(q, e); rank > 0 {
			if e.essential {
				rank--
			}
			hits = append(hits, hit{rank, e})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(a.rank, b.rank) })
	var found []Found
	for _, h := range hits {
		same := func(f Found) bool { return f.Ingredient == h.found.Ingredient && f.Product == h.found.Product }
		if len(found) < limit && !slices.ContainsFunc(found, same) {
			found = append(found, h.found)
		}
	}
	return found
}

// rank is how well an entry answers, 1 the best, 0 not at all.
func (k *Knowledge) rank(q string, e entry) int {
	best := 0
	take := func(rank int) {
		if best == 0 || rank < best {
			best = rank
		}
	}
	for _, key := range e.keys {
		switch at := strings.Index(key, q); {
		case key == q:
			take(1)
		case at == 0:
			take(2)
		case at > 0:
			take(5)
		}
	}
	if best == 1 || best == 2 || len(q) > longestSpelling {
		return best
	}
	for at := range e.zh {
		if at > 0 && best > 0 {
			break
		}
		spelt, whole := k.spells(q, e.zh[at:])
		switch {
		case spelt && whole && at == 0:
			take(3)
		case spelt && at == 0:
			take(4)
		case spelt:
			take(6)
		}
	}
	return best
}

// longestSpelling is how many bytes of a spelling are looked at: one bit each in spells.
const longestSpelling = 60

// spells reports that q spells the beginning of name, whole that it spells all of it: each character by itself, by
// its pinyin, or by the initial of that. The last may be cut short, as while typing.
func (k *Knowledge) spells(q string, name []rune) (spelt, whole bool) {
	reached := uint64(1) // bit p: the first p bytes of q are spelt so far
	for n, c := range name {
		next := uint64(0)
		for p := range q {
			if reached&(1<<p) == 0 {
				continue
			}
			rest := q[p:]
			typed := func(part string) {
				if strings.HasPrefix(rest, part) {
					next |= 1 << (p + len(part))
				}
			}
			typed(string(c))
			for _, r := range k.readings[c] {
				typed(r)
				typed(r[:1])
				if len(r) > 1 && r[1] == 'h' { // zh, ch, sh
					typed(r[:2])
				}
				spelt = spelt || strings.HasPrefix(r, rest)
			}
		}
		if next&(1<<len(q)) != 0 {
			return true, n == len(name)-1
		}
		if reached = next; reached == 0 {
			return spelt, false
		}
	}
	return spelt, false
}
