package prescribe

import (
	"slices"
	"testing"

	"yuanzhen/internal/fault"
	"yuanzhen/prescribe/formulary"
)

// What a policy is asked about: each active part by its code; what has none, or is not in the formulary, is said to have none.
func TestDrugsAsAPolicyIsAskedAboutThem(t *testing.T) {
	kb, err := formulary.Default()
	if err != nil {
		t.Fatal(err)
	}
	name := fault.Text{ZH: "药", EN: "drug"}
	asked := func(i Item) []string {
		i.Name = name
		list := drugs(kb, Order{Items: []Item{i}})
		if len(list) != 1 || list[0].Name != name {
			t.Fatalf("%+v", list)
		}
		return list[0].Ingredients
	}
	if got := asked(Item{Ingredient: "amoxicillin"}); !slices.Equal(got, []string{"J01CA04"}) {
		t.Errorf("an ingredient: %q", got)
	}
	if got := asked(Item{Product: "valsartan_amlodipine"}); !slices.Equal(got, []string{"C09CA03", "C08CA01"}) {
		t.Errorf("a combination: %q", got)
	}
	if got := asked(Item{Ingredient: "not in the formulary"}); len(got) != 0 {
		t.Errorf("an unknown one: %q", got)
	}
	hidden := 0
	for id, p := range kb.Products {
		if p.Others == "" {
			continue
		}
		hidden++
		if got := asked(Item{Product: id}); !slices.Contains(got, "") {
			t.Errorf("%s holds %s besides, and %q is asked", id, p.Others, got)
		}
	}
	if hidden == 0 {
		t.Error("the formulary has no product with other parts: the test shows nothing")
	}
}
