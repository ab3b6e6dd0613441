package identity

import (
	"context"
	"net/http"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

// Routes adds sign-in, the signed-in person's own page and the family.
func (s *Service) Routes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/auth/otp", Action: "session.open", Status: 202,
		Summary: "Text a sign-in code to a phone"}, s.sendCode)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/auth/otp/verify", Action: "session.open",
		Summary: "Sign a patient in with the code"}, s.openByCode)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/auth/password", Action: "session.open",
		Summary: "Sign staff in with password and one-time code (RFC 6238)"}, s.openByPassword)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/auth/signout", Action: "me", Status: 204,
		Summary: "End this session"}, s.signOut)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/me", Action: "me", Summary: "Who is signed in"}, s.me)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/persons", Action: "person.read",
		Summary: "Persons the account may act for"}, s.listPersons)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/persons", Action: "person.add", Status: 201,
		Summary: "Register a person under the real name (GB 11643) and act for them"}, s.addPerson)
}

type sendCodeIn struct {
	Body struct {
		Phone string `json:"phone" maxLength:"20"`
	}
}

type sendCodeOut struct {
	Body struct {
		ExpiresInS int  `json:"expires_in_s"`
		Simulated  bool `json:"simulated" doc:"The provider of text messages is a simulator"`
	}
}

func (s *Service) sendCode(ctx context.Context, in *sendCodeIn) (*sendCodeOut, error) {
	if err := s.SendCode(ctx, in.Body.Phone); err != nil {
		return nil, err
	}
	out := &sendCodeOut{}
	out.Body.ExpiresInS = int(codeLife / time.Second)
	_, out.Body.Simulated = s.SMS.Sender.(interface{ Simulated() })
	return out, nil
}

type openByCodeIn struct {
	Body struct {
		Phone string `json:"phone" maxLength:"20"`
		Code  string `json:"code" pattern:"^[0-9]{6}$"`
	}
}

type meOut struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      Me
}

func (s *Service) openByCode(ctx context.Context, in *openByCodeIn) (*meOut, error) {
	token, err := s.OpenByCode(ctx, in.Body.Phone, in.Body.Code)
	if err != nil {
		return nil, err
	}
	return s.signedIn(ctx, token)
}

type openByPasswordIn struct {
	Body struct {
		Login    string `json:"login" maxLength:"60"`
		Password string `json:"password" maxLength:"200"`
		TOTP     string `json:"totp" pattern:"^[0-9]{6}$"`
	}
}

func (s *Service) openByPassword(ctx context.Context, in *openByPasswordIn) (*meOut, error) {
	token, err := s.OpenByPassword(ctx, in.Body.Login, in.Body.Password, in.Body.TOTP)
	if err != nil {
		return nil, err
	}
	return s.signedIn(ctx, token)
}

func (s *Service) signedIn(ctx context.Context, token string) (*meOut, error) {
	sub, err := s.Resolve(ctx, token)
	if err != nil {
		return nil, err
	}
	me, err := s.describe(ctx, sub)
	if err != nil {
		return nil, err
	}
	return &meOut{SetCookie: s.cookie(token, me.SessionExpires), Body: me}, nil
}

func (s *Service) cookie(token string, until time.Time) http.Cookie {
	return http.Cookie{Name: httpapi.CookieName, Value: token, Path: "/", Expires: until, HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteLaxMode}
}

type signOutOut struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (s *Service) signOut(ctx context.Context, _ *struct{}) (*signOutOut, error) {
	if err := s.Close(ctx, authz.SubjectFrom(ctx).Session); err != nil {
		return nil, err
	}
	return &signOutOut{s.cookie("", time.Unix(0, 0))}, nil
}

// Me is the signed-in person as the pages need to know them.
type Me struct {
	AccountID      ids.Account      `json:"account_id"`
	Name           string           `json:"name"`
	Kind           string           `json:"kind" enum:"patient,staff"`
	PhoneMasked    string           `json:"phone_masked,omitempty"`
	PractitionerID ids.Practitioner `json:"practitioner_id,omitzero"`
	Title          string           `json:"title,omitempty"`
	Roles          []Role           `json:"roles"`
	Persons        []Person         `json:"persons"`
	SessionExpires time.Time        `json:"session_expires"`
}

type describeOut struct{ Body Me }

func (s *Service) me(ctx context.Context, _ *struct{}) (*describeOut, error) {
	me, err := s.describe(ctx, authz.SubjectFrom(ctx))
	return &describeOut{me}, err
}

func (s *Service) describe(ctx context.Context, sub *authz.Subject) (Me, error) {
	p, roles, err := s.profile(ctx, sub)
	if err != nil {
		return Me{}, err
	}
	me := Me{AccountID: sub.Account, Name: p.Name, Kind: p.Kind, PractitionerID: sub.Practitioner, Roles: roles, SessionExpires: p.ExpiresAt}
	if p.Title != nil {
		me.Title = *p.Title
	}
	if p.PhoneSealed != nil {
		phone, err := s.Vault.Open("house", "account.phone", p.PhoneSealed)
		if err != nil {
			return Me{}, err
		}
		me.PhoneMasked = string(phone[:3]) + "****" + string(phone[7:])
	}
	me.Persons, err = s.Persons(ctx, sub.Account)
	return me, err
}

type personsOut struct{ Body []Person }

func (s *Service) listPersons(ctx context.Context, _ *struct{}) (*personsOut, error) {
	people, err := s.Persons(ctx, authz.SubjectFrom(ctx).Account)
	return &personsOut{people}, err
}

type addPersonIn struct{ Body NewPerson }
type addPersonOut struct{ Body Person }

func (s *Service) addPerson(ctx context.Context, in *addPersonIn) (*addPersonOut, error) {
	person, err := s.AddPerson(ctx, in.Body)
	return &addPersonOut{person}, err
}
