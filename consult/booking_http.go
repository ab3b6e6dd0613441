package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) bookingRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/holds", Action: "visit.hold", Status: 201,
		Summary: "Keep an open slot for ten minutes"}, s.hold)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/holds/{id}/release", Action: "visit.hold", Status: 204,
		Summary: "Give a kept slot back; one that was offered goes to the next in line"}, s.letGo)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/series", Action: "visit.book", Status: 201,
		Summary: "Book several visits, all or none"}, s.bookSeriesIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/visits/{id}/move", Action: "visit.move",
		Summary: "Change the time of a visit that has not begun"}, s.moveVisitIn)
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/waits", Action: "wait.read",
		Summary: "The waiting list within reach, in order"}, s.listWaits)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/waits", Action: "wait.join", Status: 201,
		Summary: "Wait for a slot that becomes free, or (walk-in) for any doctor now"}, s.joinWaitIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/waits/{id}/leave", Action: "wait.leave", Status: 204,
		Summary: "Leave the waiting list"}, s.leaveWaitIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/waits/{id}/take", Action: "wait.take", Status: 201,
		Summary: "Book the slot that is offered"}, s.takeOfferIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/waits/{id}/squeeze-in", Action: "visit.overbook", Status: 201,
		Summary: "Book a waiting patient beside the visit that has the slot, for a reason"}, s.squeezeIn)
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/waits/next-walk-in", Action: "wait.take_walk_in", Status: 201,
		Summary: "Take the first of the walk-in pool, from now"}, s.takeWalkInIn)
}

type holdIn struct {
	Once
	Body struct {
		SlotID ids.Slot `json:"slot_id"`
	}
}

type heldOut struct{ Body Held }

func (s *Service) hold(ctx context.Context, in *holdIn) (*heldOut, error) {
	h, err := s.HoldSlot(ctx, in.Body.SlotID, in.Key)
	return &heldOut{h}, err
}

type letGoIn struct {
	Once
	ID ids.Hold `path:"id"`
}

func (s *Service) letGo(ctx context.Context, in *letGoIn) (*struct{}, error) {
	return nil, s.LetGo(ctx, in.ID, in.Key)
}

type bookSeriesIn struct {
	Once
	Body struct {
		Question
		SlotIDs   []ids.Slot `json:"slot_ids" minItems:"2" maxItems:"12"`
		Complaint string     `json:"complaint" maxLength:"2000"`
	}
}

func (s *Service) bookSeriesIn(ctx context.Context, in *bookSeriesIn) (*visitsOut, error) {
	list, err := s.BookSeries(ctx, Booking{Ask: in.Body.ask(), Complaint: in.Body.Complaint, RequestKey: in.Key}, in.Body.SlotIDs)
	return &visitsOut{list}, err
}

type moveVisitIn struct {
	Once
	VisitPath
	Body struct {
		SlotID ids.Slot `json:"slot_id"`
		Reason string   `json:"reason" maxLength:"200" required:"false"`
	}
}

func (s *Service) moveVisitIn(ctx context.Context, in *moveVisitIn) (*visitOut, error) {
	v, err := s.MoveVisit(ctx, in.ID, in.Body.SlotID, in.Body.Reason, in.Key)
	return &visitOut{v}, err
}

type waitsOut struct{ Body []WaitEntry }

func (s *Service) listWaits(ctx context.Context, _ *struct{}) (*waitsOut, error) {
	list, err := s.Waits(ctx)
	return &waitsOut{list}, err
}

type joinWaitIn struct {
	Once
	Body NewWait
}

type waitOut struct{ Body WaitEntry }

func (s *Service) joinWaitIn(ctx context.Context, in *joinWaitIn) (*waitOut, error) {
	e, err := s.JoinWait(ctx, in.Body, in.Key)
	return &waitOut{e}, err
}

// WaitPath names an entry of the waiting list.
type WaitPath struct {
	ID ids.WaitEntry `path:"id"`
}

type waitDeedIn struct {
	Once
	WaitPath
}

func (s *Service) leaveWaitIn(ctx context.Context, in *waitDeedIn) (*struct{}, error) {
	return nil, s.LeaveWait(ctx, in.ID, in.Key)
}

func (s *Service) takeOfferIn(ctx context.Context, in *waitDeedIn) (*visitOut, error) {
	v, err := s.TakeOffer(ctx, in.ID, in.Key)
	return &visitOut{v}, err
}

type squeezeInIn struct {
	Once
	WaitPath
	Body struct {
		SlotID ids.Slot `json:"slot_id"`
		Reason string   `json:"reason" minLength:"1" maxLength:"200"`
	}
}

func (s *Service) squeezeIn(ctx context.Context, in *squeezeInIn) (*visitOut, error) {
	v, err := s.SqueezeIn(ctx, in.ID, in.Body.SlotID, in.Body.Reason, in.Key)
	return &visitOut{v}, err
}

type onceIn struct{ Once }

func (s *Service) takeWalkInIn(ctx context.Context, in *onceIn) (*visitOut, error) {
	v, err := s.TakeWalkIn(ctx, in.Key)
	return &visitOut{v}, err
}
