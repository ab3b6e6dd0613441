package imaging

import (
	"context"
	"net/http"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

// Holding is how many bytes of images an institution holds and may hold. Its administrator sets the limit; where none
// is set, the platform's holds. What the house itself adds to a study, such as the report of a consult, is counted and
// never refused.
type Holding struct {
	Institution ids.Institution `json:"institution_id"`
	Name        string          `json:"institution"`
	Bytes       int64           `json:"bytes"`
	Quota       int64           `json:"quota" doc:"bytes"`
	Own         bool            `json:"own" doc:"set for this institution; else the platform's"`
	SetAt       *time.Time      `json:"set_at,omitempty"`
}

// quotaReached is both: PS3.18 answers A700 for the object, RFC 4918 §11.5 507 for a request of which nothing was kept.
var quotaReached = fault.New(fault.Full, "image_quota", "本院的影像空间已满，没有存。", "The hospital's room for images is used up; this was not stored.").
	WithRemedy("已存的都在。请医院管理员在“影像空间”调大上限，再传一次。", "What is stored stays. Please ask the hospital's administrator to raise the limit under “Image room”, then send it again.")

func (s *Service) holdingRoutes(api *httpapi.API) {
	const holding, devices = "/api/v1/imaging/holdings", "/api/v1/imaging/devices"
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: holding, Action: "imaging.manage",
		Summary: "Bytes of images that the asker's institutions hold and may hold"}, s.listHoldings)
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: holding + "/{id}", Action: "imaging.manage",
		Summary: "Set how many bytes an institution may hold"}, s.setHolding)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: devices, Action: "imaging.manage",
		Summary: "Machines that hand images in, and how they stand"}, s.listDevices)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: devices, Action: "imaging.manage", Status: http.StatusCreated,
		Summary: "Let a machine hand images in; its token is shown once"}, s.makeDevice)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: devices + "/{id}/revoke", Action: "imaging.manage",
		Summary: "End a machine's token at once"}, s.revokeDevice)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: devices + "/state", Action: "imaging.device", Status: http.StatusNoContent,
		Summary: "A machine says how it stands"}, s.deviceSays)
}

type holdingsOut struct{ Body []Holding }

func (s *Service) listHoldings(ctx context.Context, _ *struct{}) (*holdingsOut, error) {
	all, err := s.holdings(ctx, authz.ScopeFrom(ctx))
	return &holdingsOut{all}, err
}

type holdingIn struct {
	ID   ids.Institution `path:"id"`
	Body struct {
		Quota int64 `json:"quota" minimum:"0" maximum:"1000000000000000" doc:"bytes; 0: as the platform gives everybody"`
	}
}

type holdingOut struct{ Body Holding }

func (s *Service) setHolding(ctx context.Context, in *holdingIn) (*holdingOut, error) {
	h, err := s.setQuota(ctx, authz.ScopeFrom(ctx), in.ID, in.Body.Quota)
	return &holdingOut{h}, err
}
