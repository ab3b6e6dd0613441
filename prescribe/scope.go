package prescribe

import (
	"yuanzhen/consult"
	"yuanzhen/prescribe/formulary"
)

// drugs are the lines as a first-visit policy's prescription scope is asked about them (EXC-06). What is inside a product and
// not in the formulary has no code.
func drugs(kb *formulary.Knowledge, o Order) []consult.Drug {
	list := make([]consult.Drug, len(o.Items))
	for i, item := range o.Items {
		list[i] = consult.Drug{Name: item.Name}
		if p := kb.Products[item.Product]; p != nil {
			for _, c := range p.Components {
				list[i].Ingredients = append(list[i].Ingredients, c.Ingredient.ATC)
			}
			if p.Others != "" {
				list[i].Ingredients = append(list[i].Ingredients, "")
			}
		} else if g := kb.Ingredients[item.Ingredient]; g != nil {
			list[i].Ingredients = []string{g.ATC}
		}
	}
	return list
}
