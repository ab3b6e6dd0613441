package imaging

import (
	"context"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

// Device is a machine that hands images in for an institution, such as the edge agent. Made by its administrator; the
// token that it gets at that moment may store for this one institution and nothing else, until it is revoked.
type Device struct {
	ID          ids.Account     `json:"id"`
	Institution ids.Institution `json:"institution_id"`
	Name        string          `json:"name"`
	MadeAt      time.Time       `json:"made_at"`
	RevokedAt   *time.Time      `json:"revoked_at,omitempty"`
	SeenAt      *time.Time      `json:"seen_at,omitempty" doc:"when it last said how it stands"`
	State       DeviceState     `json:"state"`
	Token       string          `json:"token,omitempty" doc:"shown once, when it is made"`
}

// DeviceState is what a machine says of itself, without anything of a patient.
type DeviceState struct {
	Queued     int        `json:"queued" minimum:"0" maximum:"1000000000" doc:"files that wait"`
	Bytes      int64      `json:"bytes" minimum:"0" maximum:"1000000000000000"`
	Refused    int        `json:"refused" minimum:"0" maximum:"1000000000" doc:"files for a person to look at"`
	HoldsSince *time.Time `json:"holds_since,omitempty" doc:"arrival of the oldest file that waits"`
	LastError  string     `json:"last_error,omitempty" maxLength:"300"`
}

type devicesOut struct{ Body []Device }

func (s *Service) listDevices(ctx context.Context, _ *struct{}) (*devicesOut, error) {
	all, err := s.devices(ctx, authz.ScopeFrom(ctx))
	return &devicesOut{all}, err
}

type deviceIn struct {
	Institution string `query:"institution" doc:"for which institution, where the asker is administrator of several"`
	Body        struct {
		Name string `json:"name" minLength:"1" maxLength:"60"`
	}
}

type deviceOut struct{ Body Device }

func (s *Service) makeDevice(ctx context.Context, in *deviceIn) (*deviceOut, error) {
	place, err := placeOf(authz.ScopeFrom(ctx), in.Institution)
	if err != nil {
		return nil, err
	}
	d, err := s.insertDevice(ctx, place, in.Body.Name)
	return &deviceOut{d}, err
}

type revokeDeviceIn struct {
	ID ids.Account `path:"id"`
}

func (s *Service) revokeDevice(ctx context.Context, in *revokeDeviceIn) (*deviceOut, error) {
	d, err := s.endDevice(ctx, authz.ScopeFrom(ctx), in.ID)
	return &deviceOut{d}, err
}

type deviceSaysIn struct{ Body DeviceState }

func (s *Service) deviceSays(ctx context.Context, in *deviceSaysIn) (*struct{}, error) {
	return nil, s.noteDevice(ctx, authz.SubjectFrom(ctx).Account, in.Body)
}
