package httpapi

import (
	"net/http"
	"slices"
	"strings"
)

// bearerPaths are asked with a bearer token by pages of other sites too: viewers by DICOMweb, displays and instruments by WHEP and WHIP.
var bearerPaths = []string{"/dicomweb/", "/shared/dicomweb/", "/whip/", "/whep/"}

func forAnyOrigin(r *http.Request) bool {
	return slices.ContainsFunc(bearerPaths, func(at string) bool { return strings.HasPrefix(r.URL.Path, at) })
}

// AnyOrigin lets pages of any site ask and read what next answers. With "*" no browser lets a page read what a cookie opened (Fetch,
// "CORS protocol and credentials"), so this is for what is asked with a bearer token. OPTIONS is next's to answer.
func AnyOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		allowAnyOrigin(w.Header(), r)
		next.ServeHTTP(w, r)
	})
}

func allowAnyOrigin(h http.Header, r *http.Request) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Accept-Patch, Accept-Post, Allow, Content-Disposition, Content-Range, ETag, Link, Location, Retry-After, Warning, WWW-Authenticate, X-Request-Id")
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PATCH, DELETE, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, If-Match, If-None-Match, Range") // "*" would not stand for Authorization
		h.Set("Access-Control-Max-Age", "7200")                                                                      // Chromium keeps none longer
	}
}
