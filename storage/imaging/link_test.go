package imaging

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"yuanzhen/storage/storagetest"
)

func TestAShareLinkShowsOneStudyUntilItEnds(t *testing.T) {
	h := open(t, storagetest.New(t))
	ct, other := files["ct-series-3/01.dcm"], files["transfer-syntaxes/CT_small.dcm"]
	h.stow("county", ct, other)
	study, series, sop := uidsOf(t, ct)
	otherStudy, _, _ := uidsOf(t, other)
	post := func(who, path, body string) answer {
		return h.call(who, "POST", path, map[string]string{"Content-Type": "application/json"}, strings.NewReader(body))
	}
	made := func(body string) (l Link) {
		t.Helper()
		a := post("county", "/api/v1/imaging/studies/"+study+"/links", body)
		if err := json.Unmarshal(a.body, &l); a.status != 201 || err != nil || len(l.Secret) < 26 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return l
	}
	opened := func(l Link) (token string, status int) {
		var out struct{ Token string }
		a := post("", "/api/v1/imaging/links/open", fmt.Sprintf(`{"secret":%q}`, l.Secret))
		_ = json.Unmarshal(a.body, &out) // a refusal has no token
		return out.Token, a.status
	}
	at := "/shared/dicomweb/studies/" + study
	every := []string{at, at + "/metadata", at + "/series", at + "/instances", at + "/thumbnail", at + "/series/" + series,
		at + "/series/" + series + "/instances/" + sop + "/frames/1", at + "/series/" + series + "/instances/" + sop + "/rendered",
		at + "/series/" + series + "/instances/" + sop + "/bulkdata/7FE00010", at + "?accept=application/zip"}
	sees := func(t *testing.T, token string, want int) {
		t.Helper()
		for _, path := range every {
			if a := h.get(token, path, ""); a.status != want {
				t.Errorf("%s: %d %.100s, want %d", path, a.status, a.body, want)
			}
		}
	}
	link := made(`{"hours":24,"uses":2}`)
	token, status := opened(link)
	if status != 200 {
		t.Fatalf("opened: %d", status)
	}
	t.Run("every form of this study, no other, and no list but of it", func(t *testing.T) {
		sees(t, token, 200)
		for _, uid := range []string{otherStudy, "1.2.3"} {
			if a := h.get(token, "/shared/dicomweb/studies/"+uid+"/metadata", ""); a.status != 404 {
				t.Errorf("%s: %d", uid, a.status)
			}
		}
		var found []map[string]attribute
		if err := json.Unmarshal(h.get(token, "/shared/dicomweb/studies", "").body, &found); err != nil || len(found) != 1 {
			t.Errorf("%d studies: %v", len(found), err)
		}
		if !strings.Contains(string(h.get(token, at+"/metadata", "").body), h.url+shared+"/dicomweb/studies/") {
			t.Error("large values are not named where the link reaches them")
		}
	})
	t.Run("its token is none for the house itself", func(t *testing.T) {
		for _, path := range []string{strings.TrimPrefix(at, shared), "/api/v1/imaging/studies"} {
			if a := h.get(token, path, ""); a.status != 401 {
				t.Errorf("%s: %d", path, a.status)
			}
		}
	})
	t.Run("nobody without it, and the secret is no token", func(t *testing.T) {
		for _, who := range []string{"", "x", "expert", link.Secret} {
			sees(t, who, 401)
		}
	})
	t.Run("it opens as often as it says, and the hospital sees how often", func(t *testing.T) {
		if _, status := opened(link); status != 200 {
			t.Errorf("second use: %d", status)
		}
		if _, status := opened(link); status != 410 {
			t.Errorf("third use: %d", status)
		}
		var all []Link
		if err := json.Unmarshal(h.get("county", "/api/v1/imaging/studies/"+study+"/links", "").body, &all); err != nil || len(all) != 1 || all[0].Uses != 2 || all[0].Secret != "" {
			t.Errorf("%+v %v", all, err)
		}
	})
	t.Run("another hospital neither makes, lists nor ends it", func(t *testing.T) {
		for _, a := range []answer{post("expert", "/api/v1/imaging/studies/"+study+"/links", `{"hours":1,"uses":1}`), h.get("expert", "/api/v1/imaging/studies/"+study+"/links", ""),
			post("expert", "/api/v1/imaging/links/"+link.ID.String()+"/revoke", "")} {
			if a.status != 404 {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		sees(t, token, 200)
	})
	t.Run("revoked, what it has opened ends at once", func(t *testing.T) {
		if a := post("county", "/api/v1/imaging/links/"+link.ID.String()+"/revoke", ""); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		sees(t, token, 401)
	})
	t.Run("it lapses by the clock", func(t *testing.T) {
		link := made(`{"hours":1,"uses":1}`)
		token, _ := opened(link)
		sees(t, token, 200)
		h.now = h.now.Add(time.Hour)
		sees(t, token, 401)
		if _, status := opened(made(`{"hours":1,"uses":1}`)); status != 200 {
			t.Errorf("a new one: %d", status)
		}
	})
	t.Run("secrets and tokens lie nowhere as they are", func(t *testing.T) {
		var n int
		err := h.service.DB.QueryRow(t.Context(), `SELECT count(*) FROM image_link l, image_link_opening o, audit_entry a
			WHERE strpos(l::text || o::text || a::text, $1) > 0 OR strpos(l::text || o::text || a::text, $2) > 0`, link.Secret, token).Scan(&n)
		if err != nil || n != 0 || strings.Contains(h.log.String(), token) {
			t.Errorf("%d rows hold one: %v", n, err)
		}
		err = h.service.DB.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = 'imaging.read' AND reason = $1`, "link/"+link.ID.String()).Scan(&n)
		if err != nil || n == 0 {
			t.Errorf("what was seen by the link left %d entries: %v", n, err)
		}
	})
}
