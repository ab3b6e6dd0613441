package prescribe

import (
	"testing"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

func TestFavouritesAreTheDoctorsOwn(t *testing.T) {
	c := newClinic(t)
	mine := c.as(c.doctor, "prescription.write")
	line := Item{Line: 3, Ingredient: "amlodipine", Form: "tab", Route: "po", Dose: "5", Unit: "mg", PerDay: 1, Days: 28, Provenance: "typed"}
	for range 2 {
		if err := c.KeepFavourite(mine, line); err != nil {
			t.Fatal(err)
		}
	}
	list, err := c.Favourites(mine)
	if err != nil || len(list) != 1 || list[0].Line.Provenance != "copied" || list[0].Line.Name.ZH != "氨氯地平" || list[0].Line.Dose != "5" {
		t.Fatalf("kept twice, there once, and a copy when it is taken: %+v, %v", list, err)
	}
	theirs := c.as(c.other, "prescription.write")
	if list, err := c.Favourites(theirs); err != nil || len(list) != 0 {
		t.Errorf("another doctor sees %+v, %v", list, err)
	}
	if err := c.DropFavourite(theirs, list[0].ID); code(err) != "not_found" {
		t.Errorf("another doctor removes it: %v", err)
	}
	if err := c.DropFavourite(mine, list[0].ID); err != nil {
		t.Error(err)
	}
	if err := c.DropFavourite(mine, list[0].ID); code(err) != "not_found" {
		t.Errorf("removed twice: %v", err)
	}
}

func TestWhatIsNoFavourite(t *testing.T) {
	c := newClinic(t)
	line := Item{Line: 1, Ingredient: "amlodipine", Dose: "5", Unit: "mg", PerDay: 1, Days: 28, Provenance: "typed"}
	for _, story := range []struct {
		name, code string
		change     func(*Item)
	}{
		{"a line made by a machine", "prescription_not_allowed", func(i *Item) { i.Provenance = "ai_generated" }},
		{"a medicine nobody knows", "prescription_unreadable", func(i *Item) { i.Ingredient = "panacea" }},
		{"a dose in words", "prescription_unreadable", func(i *Item) { i.Dose = "适量" }},
		{"no frequency", "prescription_unreadable", func(i *Item) { i.PerDay = 0 }},
	} {
		t.Run(story.name, func(t *testing.T) {
			bad := line
			story.change(&bad)
			if err := c.KeepFavourite(c.as(c.doctor, "prescription.write"), bad); code(err) != story.code {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestFavouritesAreBoundedAndOutliveTheFormulary(t *testing.T) {
	c := newClinic(t)
	ctx := c.as(c.doctor, "prescription.write")
	line := Item{Line: 1, Ingredient: "amlodipine", Dose: "5", Unit: "mg", PerDay: 1, Provenance: "typed"}
	insert := func(line Item) {
		if err := c.inTx(ctx, func(tx tx) error {
			return insertFavourite(ctx, tx, ids.New[ids.Favourite](), authz.SubjectFrom(ctx).Practitioner, line, c.now)
		}); err != nil {
			t.Fatal(err)
		}
	}
	gone := line
	gone.Ingredient, gone.Days = "withdrawn", 7
	insert(gone)
	for day := range mostFavourites - 1 {
		line.Days = day%90 + 1
		line.PerDay = day/90 + 1
		insert(line)
	}
	if list, err := c.Favourites(ctx); err != nil || len(list) != mostFavourites-1 {
		t.Errorf("%d are shown, %v: the medicine that left the formulary is left out", len(list), err)
	}
	line.PerDay = 3
	if err := c.KeepFavourite(ctx, line); code(err) != "too_many_favourites" {
		t.Errorf("one more: %v", err)
	}
}
