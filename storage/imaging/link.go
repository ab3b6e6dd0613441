package imaging

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"strings"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
	"yuanzhen/storage/imaging/dicom"
)

// Link shows one study to somebody without an account. Made by a doctor of the hospital that holds it. Who has the
// secret exchanges it, so often and so long as the link says, for a token that opens this study under /shared/dicomweb
// and nothing else; revoked, the tokens end with it.
type Link struct {
	ID      linkID     `json:"id"`
	Study   string     `json:"study_uid"`
	MadeAt  time.Time  `json:"made_at"`
	Expires time.Time  `json:"expires_at"`
	Uses    int        `json:"uses" doc:"how often it was opened"`
	Most    int        `json:"most_uses"`
	Revoked *time.Time `json:"revoked_at,omitempty"`
	Secret  string     `json:"secret,omitempty" doc:"shown once, when the link is made; belongs into the fragment of an address"`
}

type linkID = ids.ID[Link]

// openingLife is how long a token lasts within its link's time: a day at work.
const openingLife = 12 * time.Hour

var (
	linkGone = fault.New(fault.Gone, "link_gone", "这个链接已失效、用完或抄错了。", "This link has ended, was used up, or is not complete.").
			WithRemedy("请向发链接的医院再要一个。", "Please ask the hospital that sent it for another.")
	openFirst = fault.New(fault.Unauthenticated, "open_link_first", "请先打开分享链接。", "Please open the share link first.").
			WithRemedy("链接失效后请向医院再要一个。", "If it has ended, ask the hospital for another.")
)

func hashed(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

func (s *Service) linkRoutes(api *httpapi.API) {
	const study = "/api/v1/imaging/studies/{study}/links"
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: study, Action: "imaging.share", Status: http.StatusCreated,
		Summary: "Make a link that shows a study to somebody without an account"}, s.makeLink)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: study, Action: "imaging.share",
		Summary: "Links of a study, and how often each was opened"}, s.listLinks)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/imaging/links/{id}/revoke", Action: "imaging.share",
		Summary: "End a link and all that it has opened"}, s.revokeLink)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/imaging/links/open", Action: "imaging.shared",
		Summary: "Exchange a link's secret for a token"}, s.openLink)
}

type linkIn struct {
	Study string `path:"study" maxLength:"64"`
	Body  struct {
		Hours int `json:"hours" minimum:"1" maximum:"168"`
		Uses  int `json:"uses" minimum:"1" maximum:"50"`
	}
}

type linkOut struct{ Body Link }

func (s *Service) makeLink(ctx context.Context, in *linkIn) (*linkOut, error) {
	if !dicom.ValidUID(in.Study) {
		return nil, badUID
	}
	now := s.Now()
	l := Link{ID: ids.New[linkID](), Study: in.Study, MadeAt: now, Expires: now.Add(time.Duration(in.Body.Hours) * time.Hour),
		Most: in.Body.Uses, Secret: rand.Text()}
	return &linkOut{l}, s.insertLink(ctx, l)
}

type linksIn struct {
	Study string `path:"study" maxLength:"64"`
}

type linksOut struct{ Body []Link }

func (s *Service) listLinks(ctx context.Context, in *linksIn) (*linksOut, error) {
	all, err := s.links(ctx, in.Study)
	return &linksOut{all}, err
}

type revokeIn struct {
	ID linkID `path:"id"`
}

func (s *Service) revokeLink(ctx context.Context, in *revokeIn) (*linkOut, error) {
	l, err := s.revoke(ctx, in.ID)
	return &linkOut{l}, err
}

type openIn struct {
	Body struct {
		Secret string `json:"secret" minLength:"1" maxLength:"64"`
	}
}

type openOut struct {
	Body struct {
		Token   string    `json:"token" doc:"for Authorization: Bearer under /shared/dicomweb; keep it in memory only"`
		Study   string    `json:"study_uid"`
		Expires time.Time `json:"expires_at"`
	}
}

func (s *Service) openLink(ctx context.Context, in *openIn) (*openOut, error) {
	out := &openOut{}
	out.Body.Token = rand.Text()
	l, err := s.exchange(ctx, in.Body.Secret, out.Body.Token)
	out.Body.Study, out.Body.Expires = l.Study, l.Expires
	if until := s.Now().Add(openingLife); until.Before(l.Expires) {
		out.Body.Expires = until
	}
	return out, err
}

// byLink serves who comes with the token of an opened link.
func (s *Service) byLink(serve func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		link, err := s.openedLink(r.Context(), token)
		if err != nil {
			return err
		}
		return serve(w, r.WithContext(authz.WithScope(r.Context(), authz.ByLink("imaging.read", link.String()))))
	}
}
