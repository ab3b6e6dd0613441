package imaging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/storage/imaging/dicom"
	"yuanzhen/storage/storagetest"
)

// administrator gives the county hospital one.
func (h *house) administrator() {
	admin := &authz.Subject{Account: ids.New[ids.Account](), Memberships: []authz.Membership{{Role: authz.Administrator, Place: h.county}}}
	exec(h.t, h.service.DB, `INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', 'admin', 'admin', 'x', 'x')`, admin.Account)
	h.people["admin"] = admin
}

func (h *house) do(who, method, path string, body, into any) answer {
	h.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	a := h.call(who, method, path, map[string]string{"Content-Type": "application/json"}, bytes.NewReader(raw))
	if into != nil && a.status < 300 {
		if err := json.Unmarshal(a.body, into); err != nil {
			h.t.Fatalf("%v in %s", err, a.body)
		}
	}
	return a
}

func (h *house) holding() Holding {
	h.t.Helper()
	var all []Holding
	if a := h.do("admin", "GET", "/api/v1/imaging/holdings", nil, &all); a.status != 200 || len(all) != 1 {
		h.t.Fatalf("%d %s", a.status, a.body)
	}
	return all[0]
}

func TestAHospitalHoldsNoMoreThanItMay(t *testing.T) {
	h := open(t, storagetest.New(t))
	h.administrator()
	h.service.Quota = 1 << 40
	slice := func(n int) []byte {
		raw, err := dicom.Rewrite(files["transfer-syntaxes/CT_small.dcm"], map[dicom.Tag]string{dicom.SOPInstanceUID: fmt.Sprint("1.2.960.", 1000+n)})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	size := int64(len(slice(0)))
	limit := func(bytes int64) {
		t.Helper()
		if a := h.do("admin", "PUT", "/api/v1/imaging/holdings/"+h.county.String(), map[string]int64{"quota": bytes}, nil); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if h := h.holding(); h.Bytes != 0 || h.Quota != 1<<40 || h.Own {
		t.Errorf("at first: %+v", h)
	}
	limit(3 << 40)
	if h := h.holding(); h.Quota != 3<<40 || !h.Own {
		t.Errorf("set: %+v", h)
	}
	h.stow("county", slice(0), slice(0))
	h.stow("county", slice(0))
	if got := h.holding(); got.Bytes != size {
		t.Errorf("the same object three times counts %d bytes, it has %d", got.Bytes, size)
	}

	t.Run("twenty at once for room of five: five are kept, the others refused and gone from the store", func(t *testing.T) {
		limit(6 * size)
		var all sync.WaitGroup
		for n := range 20 {
			all.Go(func() {
				if a, s := h.stow("county", slice(1+n)); a.status != 200 && (a.status != 507 || s.Bad.Value[0].Reason.Value[0] != outOfResources || !strings.Contains(s.Bad.Value[0].Say.Value[0], "administrator")) {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		all.Wait()
		if got := h.holding(); got.Bytes != 6*size || got.Quota != 6*size || !got.Own || h.lying() != 6 {
			t.Errorf("%+v, %d objects of %d bytes", got, h.lying(), size)
		}
	})
	t.Run("full: what is held is still a success; something new beside it is refused alone", func(t *testing.T) {
		put := h.objects.put.Load()
		if a, s := h.stow("county", slice(0), slice(50)); a.status != 202 || len(s.Good.Value) != 1 || len(s.Bad.Value) != 1 || h.objects.put.Load() != put {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("an upload that doesn't fit is refused before its first byte", func(t *testing.T) {
		a := h.call("county", "POST", uploads, map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": "1000"}, nil)
		if a.status != 507 || problem(a).Code != "image_quota" || problem(a).Remedy.ZH == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("two uploads that fit one by one and not together: the second is told before its first byte", func(t *testing.T) {
		limit(8 * size)
		begin := func() answer {
			return h.call("county", "POST", uploads, map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": fmt.Sprint(2*size - 1)}, nil)
		}
		first := begin()
		if second := begin(); first.status != 201 || second.status != 507 || problem(second).Code != "image_quota" || !strings.Contains(problem(second).Remedy.EN, "administrator") {
			t.Errorf("%d, %d %s", first.status, second.status, second.body)
		}
		h.now = h.now.Add(uploadQuiet + time.Second) // nothing came of the first
		second := begin()
		if second.status != 201 {
			t.Errorf("%d %s", second.status, second.body)
		}
		for _, a := range []answer{first, second} {
			if a := h.call("county", "DELETE", a.header.Get("Location"), map[string]string{"Tus-Resumable": "1.0.0"}, nil); a.status != 204 {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
	})
	t.Run("uploads under way count with what they have brought", func(t *testing.T) {
		limit(8 * size)
		at := h.begin("county", int(2*size))
		h.patch("county", at, 0, bytes.NewReader(slice(60)))
		if a := h.call("county", "POST", uploads, map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": fmt.Sprint(2 * size)}, nil); a.status != 507 {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := h.call("county", "DELETE", at, map[string]string{"Tus-Resumable": "1.0.0"}, nil); a.status != 204 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("an archive of two where one has room: one is taken, the other named", func(t *testing.T) {
		archive := archiveOf(t, map[string][]byte{"a": slice(61), "b": slice(62)})
		limit(9 * size)
		at := h.begin("county", len(archive))
		limit(7 * size) // while it is sent
		h.patch("county", at, 0, bytes.NewReader(archive))
		if state := h.taken("county", at); state.Stored != 1 || len(state.Refused) != 1 || state.Refused[0].Reason != "A700" || !state.Refused[0].Full {
			t.Errorf("%+v", state)
		}
	})
	t.Run("what the house adds to a study is counted and never refused", func(t *testing.T) {
		r, err := h.service.Store(t.Context(), h.county, bytes.NewReader(slice(70)))
		if err != nil || !r.Stored {
			t.Fatal(err, r)
		}
		if got := h.holding(); got.Bytes != 8*size {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a limit taken back is the platform's again; nobody else's administrator sees or sets it", func(t *testing.T) {
		limit(0)
		if got := h.holding(); got.Quota != 1<<40 || got.Own {
			t.Errorf("%+v", got)
		}
		if a, _ := h.stow("county", slice(50)); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		h.people["admin"].Memberships[0].Place = ids.New[ids.Institution]()
		if a := h.do("admin", "PUT", "/api/v1/imaging/holdings/"+h.county.String(), map[string]int64{"quota": 1}, nil); a.status != 404 {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := h.do("county", "GET", "/api/v1/imaging/holdings", nil, nil); a.status != 403 {
			t.Errorf("a doctor: %d", a.status)
		}
	})
}

func TestADeviceMayOnlyStoreForItsHospital(t *testing.T) {
	h := open(t, storagetest.New(t))
	h.administrator()
	var d Device
	if a := h.do("admin", "POST", "/api/v1/imaging/devices", map[string]string{"name": "CT 室"}, &d); a.status != 201 || len(d.Token) < 50 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var kept []byte
	if err := h.service.DB.QueryRow(t.Context(), `SELECT token_hash FROM session WHERE account_id = $1 AND expires_at = 'infinity'`, d.ID).Scan(&kept); err != nil || !bytes.Equal(kept, hashed(d.Token)) {
		t.Errorf("kept as %x: %v", kept, err)
	}
	policy, err := authz.Lines()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range policy {
		if l.Role == authz.Device && (l.Reach != "place" || l.Action != "imaging.store" && l.Action != "imaging.device") {
			t.Errorf("a device may %s %s", l.Action, l.Reach)
		}
	}
	h.people["ct"] = &authz.Subject{Account: d.ID, Memberships: []authz.Membership{{Role: authz.Device, Place: h.county}}} // as a session resolves
	ct := files["transfer-syntaxes/CT_small.dcm"]
	study, _, _ := uidsOf(t, ct)
	if a, _ := h.stow("ct", ct); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if state := h.sent("ct", files["transfer-syntaxes/MR_small.dcm"]); state.Stored != 1 {
		t.Errorf("%+v", state)
	}
	for _, path := range []string{"/dicomweb/studies", "/dicomweb/studies/" + study, "/dicomweb/studies/" + study + "/metadata", "/api/v1/imaging/studies", "/api/v1/imaging/devices", "/api/v1/imaging/holdings"} {
		if a := h.get("ct", path, ""); a.status != 403 {
			t.Errorf("a device reads %s: %d", path, a.status)
		}
	}
	since := h.now.Add(-time.Hour)
	if a := h.do("ct", "POST", "/api/v1/imaging/devices/state", DeviceState{Queued: 3, Bytes: 9, HoldsSince: &since, LastError: "line"}, nil); a.status != 204 {
		t.Errorf("%d %s", a.status, a.body)
	}
	var all []Device
	if a := h.do("admin", "GET", "/api/v1/imaging/devices", nil, &all); a.status != 200 || len(all) != 1 || all[0].State.Queued != 3 || all[0].SeenAt == nil || all[0].Token != "" || strings.Contains(string(a.body), d.Token) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := h.do("county", "POST", "/api/v1/imaging/devices", map[string]string{"name": "x"}, nil); a.status != 403 {
		t.Errorf("a doctor makes one: %d", a.status)
	}
	place := h.people["admin"].Memberships[0].Place
	h.people["admin"].Memberships[0].Place = ids.New[ids.Institution]()
	if a := h.do("admin", "POST", "/api/v1/imaging/devices/"+d.ID.String()+"/revoke", nil, nil); a.status != 404 {
		t.Errorf("another hospital's administrator: %d", a.status)
	}
	h.people["admin"].Memberships[0].Place = place
	for range 2 {
		if a := h.do("admin", "POST", "/api/v1/imaging/devices/"+d.ID.String()+"/revoke", nil, &d); a.status != 200 || d.RevokedAt == nil {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}
