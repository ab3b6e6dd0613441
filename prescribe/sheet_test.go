package prescribe

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestPaper(t *testing.T) {
	m := newMarket(t)
	waiting := m.signed(renewal())
	if _, _, err := m.Sheet(m.as(m.family, "prescription.read"), waiting.ID); code(err) != "not_approved" {
		t.Errorf("before the pharmacist: %v", err)
	}
	p, err := m.review(waiting, pass())
	if err != nil {
		t.Fatal(err)
	}
	address := m.serve(sessions{"shop": m.shops[0], "other shop": m.shops[1], "stranger": m.admins[0]})
	get := func(who, path string) (int, []byte, http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+who)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, body, answer.Header
	}
	own := "/api/v1/prescriptions/" + p.ID.String()
	status, pdf, header := get("family", own+"/sheet.pdf")
	if status != 200 || !bytes.HasPrefix(pdf, []byte("%PDF-")) || header.Get("Content-Type") != "application/pdf" || !strings.Contains(header.Get("Content-Disposition"), p.No+".pdf") {
		t.Fatalf("%d, %d bytes, %v", status, len(pdf), header)
	}
	claim, err := m.claimBy(0, m.code(p, 1))
	if err != nil {
		t.Fatal(err)
	}
	held := "/api/v1/claims/" + claim.PartID.String()
	for _, c := range []struct {
		who, path string
		status    int
	}{
		{"shop", held + "/sheet.pdf", 200}, {"shop", held + "/proof", 200}, {"other shop", held + "/sheet.pdf", 404}, {"other shop", held + "/proof", 404},
		{"shop", own + "/sheet.pdf", 404}, {"shop", own + "/proof", 404}, {"family", held + "/sheet.pdf", 403}, {"", own + "/sheet.pdf", 401},
		{"family", own + "/proof", 200}, {"family", "/api/v1/prescriptions/x/sheet.pdf", 404}, {"shop", "/api/v1/claims/x/sheet.pdf", 404},
	} {
		if status, body, _ := get(c.who, c.path); status != c.status {
			t.Errorf("%s %s: %d, want %d: %.200s", c.who, c.path, status, c.status, body)
		}
	}
}

func TestWordsOfUse(t *testing.T) {
	for want, i := range map[string]Item{
		"每次 30 mg，每日 3 次，口服，共 7 天":      {Ingredient: "diltiazem", Dose: "30", Unit: "mg", PerDay: 3, Route: "po", Days: 7},
		"每次 500 mg，每日 2 次，口服，餐后，共 28 天": {Ingredient: "metformin", Dose: "500", Unit: "mg", PerDay: 2, Route: "po", Timing: "after_meal", Days: 28},
		"每次 70 mg，每周 1 次，共 28 天":        {Ingredient: "alendronate", Dose: "70", Unit: "mg", PerDay: 1, PerWeek: 1, Days: 28},
		"每次 1 片（支、袋），每日 1 次，共 28 天":     {Product: "valsartan_hctz", Units: "1", PerDay: 1, Days: 28},
	} {
		if got := strings.ReplaceAll(i.useWords(), "\u00a0", " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if use := (Item{Dose: "500", Unit: "mg", PerDay: 2, Timing: "after_meal"}).use(); use != "500 mg × 2/d PC" {
		t.Errorf("in the evidence code: %s", use)
	}
	for months, want := range map[int]string{5: "5个月", 35: "35个月", 36: "3岁", 827: "68岁"} {
		if got := ageWords(months); got != want {
			t.Errorf("%d months: %s", months, got)
		}
	}
}
