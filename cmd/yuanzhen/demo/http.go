package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/totp"

	"yuanzhen/consult"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/identity"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/notify"
	"yuanzhen/signaling/control"
)

// Stage answers what only a demo may be asked: who its people are and how they sign
// in, what the SMS simulator sent, a room to try. The routes exist in demo mode only.
type Stage struct {
	Seeder   *Seeder
	Identity *identity.Service
	Inbox    *notify.Simulator
	Desk     consult.Desk
}

// Person of the cast, with every way to sign in.
type Person struct {
	ID      ids.Account `json:"id"`
	Name    string      `json:"name"`
	Role    string      `json:"role"`
	Place   string      `json:"place"`
	Story   string      `json:"story"`
	SignIn  SignIn      `json:"sign_in"`
	Session string      `json:"session,omitempty" doc:"A fresh session token, for Authorization: Bearer"`
}

// SignIn says how a person of the cast signs in by hand.
type SignIn struct {
	Page       string `json:"page"`
	Phone      string `json:"phone,omitempty" doc:"The code comes to the simulator's inbox, shown on the page"`
	Login      string `json:"login,omitempty"`
	Password   string `json:"password,omitempty"`
	TOTPSecret string `json:"totp_secret,omitempty"`
	TOTPNow    string `json:"totp_now,omitempty"`
	Passphrase string `json:"passphrase,omitempty" doc:"Opens the signing key"`
}

// Routes adds the demo's questions.
func (s *Stage) Routes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/demo/cast", Action: "demo",
		Summary: "Demo mode only: the people of the cast and how they sign in"}, s.cast)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/demo/inbox", Action: "demo",
		Summary: "Demo mode only: what the SMS simulator would have sent"}, s.inbox)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/demo/room", Action: "demo",
		Summary: "Demo mode only: a room with a ticket a seat"}, s.room)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/demo/plans/{id}/days", Action: "demo", Status: 204,
		Summary: "Demo mode only: a long prescription's dates as if so many days had passed"}, s.daysPass)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/demo/pharmacies/{id}/days", Action: "demo", Status: 204,
		Summary: "Demo mode only: a pharmacy's papers as if so many days had passed since they were read"}, s.papersAge)
}

// daysPass moves when the parts of a plan may be collected; what was signed stays as it is.
func (s *Stage) daysPass(ctx context.Context, in *struct {
	ID   ids.Prescription `path:"id"`
	Body struct {
		Days int `json:"days" minimum:"1" maximum:"60"`
	}
}) (*struct{}, error) {
	_, err := s.Seeder.DB.Exec(ctx, `
		UPDATE prescription_part SET not_before = not_before - $2::int, not_after = not_after - make_interval(days => $2)
		WHERE prescription_id = $1`, in.ID, in.Body.Days)
	return nil, err
}

// papersAge moves the day on which a pharmacy's papers were read last.
func (s *Stage) papersAge(ctx context.Context, in *struct {
	ID   ids.Institution `path:"id"`
	Body struct {
		Days int `json:"days" minimum:"1" maximum:"400"`
	}
}) (*struct{}, error) {
	_, err := s.Seeder.DB.Exec(ctx, `UPDATE pharmacy SET checked_on = checked_on - $2::int WHERE institution_id = $1`, in.ID, in.Body.Days)
	return nil, err
}

type castIn struct {
	Sessions bool `query:"sessions" doc:"Open a session for each person"`
}

type castOut struct{ Body []Person }

func (s *Stage) cast(ctx context.Context, in *castIn) (*castOut, error) {
	people, err := s.Cast(ctx)
	if err != nil {
		return nil, err
	}
	if in.Sessions {
		for i := range people {
			if people[i].Session, err = s.Identity.OpenFor(ctx, people[i].ID); err != nil {
				return nil, err
			}
		}
	}
	return &castOut{people}, nil
}

// Cast lists the people who can sign in.
func (s *Stage) Cast(ctx context.Context) ([]Person, error) {
	rows, err := s.Seeder.DB.Query(ctx, `SELECT id, coalesce(login, ''), phone_lookup FROM account`)
	if err != nil {
		return nil, err
	}
	byKey := map[string]ids.Account{}
	var id ids.Account
	var login string
	var phone []byte
	if _, err := pgx.ForEachRow(rows, []any{&id, &login, &phone}, func() error {
		byKey[login+string(phone)] = id
		return nil
	}); err != nil {
		return nil, err
	}
	people := []Person{}
	for _, p := range Patients {
		if p.Phone == "" {
			continue
		}
		people = append(people, Person{ID: byKey[string(s.Seeder.Vault.Lookup("phone", p.Phone))], Name: p.Name, Role: "patient", Place: p.Keeper, Story: p.Story,
			SignIn: SignIn{Page: "/", Phone: p.Phone}})
	}
	for _, p := range People {
		secret := s.Seeder.totpSecret(p.Login)
		now, err := totp.GenerateCode(secret, time.Now())
		if err != nil {
			return nil, err
		}
		sign := SignIn{Page: "/staff", Login: p.Login, Password: Password, TOTPSecret: secret, TOTPNow: now}
		if p.Scope != nil {
			sign.Passphrase = Passphrase
		}
		people = append(people, Person{ID: byKey[p.Login], Name: p.Name, Role: p.Role, Story: p.Story, SignIn: sign,
			Place: strings.Join(append([]string{p.Home}, p.Also...), "、")})
	}
	return people, nil
}

type inboxIn struct {
	Body struct {
		Phone string `json:"phone" maxLength:"20"`
	}
}

type inboxOut struct{ Body []notify.Message }

func (s *Stage) inbox(ctx context.Context, in *inboxIn) (*inboxOut, error) {
	messages, err := s.Inbox.Inbox(ctx, in.Body.Phone)
	return &inboxOut{messages}, err
}

type roomIn struct {
	Body struct {
		Seats int `json:"seats" minimum:"1" maximum:"16"`
	}
}

// Room is a room to try, with a ticket a seat.
type Room struct {
	Socket string `json:"socket"`
	Room   string `json:"room"`
	Seats  []Seat `json:"seats"`
}

// Seat of a demo room.
type Seat struct {
	Seat       string              `json:"seat"`
	Ticket     string              `json:"ticket"`
	Expires    time.Time           `json:"expires"`
	ICEServers []control.ICEServer `json:"ice_servers"`
}

type roomOut struct{ Body Room }

func (s *Stage) room(_ context.Context, in *roomIn) (*roomOut, error) {
	room := Room{Socket: "/signal", Room: "demo-" + rand.Text()}
	for i := range in.Body.Seats {
		name := fmt.Sprintf("seat-%d", i+1)
		pass, err := s.Desk.Issue(control.Claims{Room: control.Room(room.Room), Seat: control.Seat(name), Name: name, Role: "guest",
			Admitted: true, Publish: true, Subscribe: true})
		if err != nil {
			return nil, err
		}
		if pass.URL != "" {
			room.Socket = pass.URL
		}
		room.Seats = append(room.Seats, Seat{Seat: name, Ticket: pass.Ticket, Expires: pass.Expires, ICEServers: pass.ICEServers})
	}
	return &roomOut{room}, nil
}
