package app_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"yuanzhen/internal/httpapi"
)

// Pages of other sites read images, send and watch with a bearer token, and with nothing else.
func (b *building) testOtherOrigins(t *testing.T) {
	session := b.session("陈慧")
	const images, watch = "/dicomweb/studies", "/whep/room/seat"
	header := func(pairs ...string) http.Header {
		h := http.Header{"Origin": {"https://viewer.example"}, "Sec-Fetch-Site": {"cross-site"}}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	cookie := httpapi.CookieName + "=" + session
	for name, c := range map[string]struct {
		method, path string
		header       http.Header
		want         int
		code         string
		open         bool
	}{
		"may images be asked?":             {"OPTIONS", images, header("Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "accept,authorization"), 204, "", true},
		"may shared images be asked?":      {"OPTIONS", "/shared" + images, header("Access-Control-Request-Method", "GET"), 204, "", true},
		"may somebody watch?":              {"OPTIONS", watch, header("Access-Control-Request-Method", "POST"), 200, "", true},
		"may a device end its session?":    {"OPTIONS", "/whip/sessions/x", header("Access-Control-Request-Method", "DELETE"), 200, "", true},
		"images by token":                  {"GET", images, header("Authorization", "Bearer "+session), 200, "", true},
		"images by share token":            {"GET", "/shared" + images, header("Authorization", "Bearer x"), 401, "", true},
		"storing by token":                 {"POST", images, header("Authorization", "Bearer "+session, "Content-Type", "text/plain"), 400, "not_multipart", true},
		"storing by cookie":                {"POST", images, header("Cookie", cookie), 403, "cross_site", true},
		"storing by cookie, token empty":   {"POST", images, header("Cookie", cookie, "Authorization", "Bearer "), 403, "cross_site", true},
		"storing by cookie, other scheme":  {"POST", images, header("Cookie", cookie, "Authorization", "bearer x"), 403, "cross_site", true},
		"watching by a ticket that's none": {"POST", watch, header("Authorization", "Bearer x", "Content-Type", "application/sdp"), 401, "ticket_invalid", true},
		"the API by token":                 {"GET", "/api/v1/me", header("Authorization", "Bearer "+session), 200, "", false},
		"the API by cookie":                {"POST", "/api/v1/netcheck", header("Cookie", cookie), 403, "cross_site", false},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := http.NewRequestWithContext(t.Context(), c.method, b.app.Addr()+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			q.Header = c.header
			a, err := b.client.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Body.Close()
			body, err := io.ReadAll(a.Body)
			if err != nil || a.StatusCode != c.want || c.code != "" && !strings.Contains(string(body), `"`+c.code+`"`) {
				t.Errorf("%d %s %v, want %d %s", a.StatusCode, body, err, c.want, c.code)
			}
			origin, exposed, allowed := a.Header.Get("Access-Control-Allow-Origin"), a.Header.Get("Access-Control-Expose-Headers"), a.Header.Get("Access-Control-Allow-Headers")
			if (origin == "*") != c.open || (origin != "") != c.open || strings.Contains(exposed, "Location, ") != c.open ||
				strings.Contains(allowed, "Authorization") != (c.method == "OPTIONS") || a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("headers %v", a.Header)
			}
		})
	}
}
