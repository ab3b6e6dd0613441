package control_test

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"yuanzhen/signaling/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func keys(t testing.TB) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pub, priv
}

func guest() control.Claims {
	return control.Claims{
		Room: "r-1", Seat: "s-1", Name: "王芳", Role: "guest", Publish: true, Subscribe: true,
		Issued: noon, Expires: noon.Add(time.Minute),
	}
}

func TestATicketSaysWhatWasSigned(t *testing.T) {
	pub, priv := keys(t)
	ticket, err := control.Mint(priv, guest())
	if err != nil {
		t.Fatal(err)
	}
	got, err := control.Check(pub, ticket, noon.Add(59*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	want := guest()
	want.ID = got.ID
	if !got.Issued.Equal(want.Issued) || !got.Expires.Equal(want.Expires) {
		t.Fatalf("times %s to %s, want %s to %s", got.Issued, got.Expires, want.Issued, want.Expires)
	}
	got.Issued, got.Expires = want.Issued, want.Expires
	if got != want || got.ID == "" {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func TestTicketsThatAreRefused(t *testing.T) {
	pub, priv := keys(t)
	otherPub, _ := keys(t)
	good, err := control.Mint(priv, guest())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pub    ed25519.PublicKey
		ticket string
		now    time.Time
		want   error
	}{
		"expired to the millisecond": {pub, good, noon.Add(time.Minute), control.ErrExpired},
		"issued in the future":       {pub, good, noon.Add(-time.Minute), control.ErrExpired},
		"signed by another house":    {otherPub, good, noon, control.ErrSignature},
		"no key configured":          {nil, good, noon, control.ErrSignature},
		"empty":                      {pub, "", noon, control.ErrMalformed},
		"prefix only":                {pub, "yz1.", noon, control.ErrMalformed},
		"too long":                   {pub, good + strings.Repeat("A", control.MaxTicket), noon, control.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := control.Check(c.pub, c.ticket, c.now); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestEveryChangedByteIsRefused(t *testing.T) {
	pub, priv := keys(t)
	good, err := control.Mint(priv, guest())
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(good) {
		for _, bit := range []byte{1, 4, 32} {
			b := []byte(good)
			b[i] ^= bit
			if _, err := control.Check(pub, string(b), noon); err == nil {
				t.Fatalf("byte %d changed by %d was accepted", i, bit)
			}
		}
	}
}

func TestClaimsThatAreNotMinted(t *testing.T) {
	_, priv := keys(t)
	for name, change := range map[string]func(*control.Claims){
		"no room":           func(c *control.Claims) { c.Room = "" },
		"no seat":           func(c *control.Claims) { c.Seat = "" },
		"no role":           func(c *control.Claims) { c.Role = "" },
		"endless name":      func(c *control.Claims) { c.Name = strings.Repeat("长", 100) },
		"lives too long":    func(c *control.Claims) { c.Expires = c.Issued.Add(control.MaxLife + 1) },
		"ends at its start": func(c *control.Claims) { c.Expires = c.Issued },
	} {
		t.Run(name, func(t *testing.T) {
			c := guest()
			change(&c)
			if _, err := control.Mint(priv, c); !errors.Is(err, control.ErrMalformed) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestADeskIssuesAPassThatOpensTheRoom(t *testing.T) {
	pub, priv := keys(t)
	desk := control.Desk{Key: priv, Now: func() time.Time { return noon }, ICEServers: func(r control.Room, s control.Seat) []control.ICEServer {
		return []control.ICEServer{{URLs: []string{"turn:relay.example"}, Username: string(r) + "/" + string(s)}}
	}}
	pass, err := desk.Issue(guest())
	if err != nil {
		t.Fatal(err)
	}
	if pass.ICEServers[0].Username != "r-1/s-1" || !pass.Expires.Equal(noon.Add(2*time.Minute)) {
		t.Fatalf("pass %+v", pass)
	}
	if _, err := control.Check(pub, pass.Ticket, noon); err != nil {
		t.Fatal(err)
	}
}

func FuzzCheck(f *testing.F) {
	pub, priv := keys(f)
	good, err := control.Mint(priv, guest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("yz1..")
	f.Fuzz(func(t *testing.T, ticket string) {
		if _, err := control.Check(pub, ticket, noon); err == nil && ticket != good {
			t.Fatalf("accepted a ticket that was never minted: %q", ticket)
		}
	})
}
