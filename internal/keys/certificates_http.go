package keys

import (
	"context"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

// Routes adds certificates: a person's own, and for administrators those of their hospital.
func (s *Service) Routes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/certificates", Action: "certificate.own",
		Summary: "The own certificates, the newest first"},
		func(ctx context.Context, _ *struct{}) (*certificatesOut, error) {
			list, err := s.Own(ctx)
			return &certificatesOut{list}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/certificates", Action: "certificate.own",
		Summary: "Make the own certificate, or the next one, under a passphrase that nobody else knows"},
		func(ctx context.Context, in *renewIn) (*certificatesOut, error) {
			list, err := s.Renew(ctx, in.Body.Current, in.Body.Passphrase)
			return &certificatesOut{list}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/certificates/{key_id}/end", Action: "certificate.own", Status: 204,
		Summary: "End the own certificate now"},
		func(ctx context.Context, in *keyIn) (*struct{}, error) { return nil, s.End(ctx, in.KeyID) })
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/institution-certificates", Action: "certificate.manage",
		Summary: "Seals and people's certificates at the administrator's places"},
		func(ctx context.Context, _ *struct{}) (*houseOut, error) {
			h, err := s.Everybodys(ctx)
			return &houseOut{h}, err
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/institution-certificates/seal", Action: "certificate.manage", Status: 204,
		Summary: "Make a hospital's seal, or the next one"},
		func(ctx context.Context, in *sealIn) (*struct{}, error) {
			return nil, s.RenewSeal(ctx, in.Body.InstitutionID)
		})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/institution-certificates/{key_id}/revoke", Action: "certificate.manage", Status: 204,
		Summary: "Revoke a certificate or a seal"},
		func(ctx context.Context, in *revokeIn) (*struct{}, error) {
			return nil, s.RevokeAt(ctx, in.KeyID, in.Body.Reason)
		})
}

type (
	certificatesOut struct{ Body []Certificate }
	houseOut        struct{ Body House }
	renewIn         struct {
		Body struct {
			Current    string `json:"current,omitempty" maxLength:"200" doc:"passphrase of the valid certificate, if there is one"`
			Passphrase string `json:"passphrase" minLength:"6" maxLength:"200"`
		}
	}
	keyIn struct {
		KeyID string `path:"key_id" format:"uuid"`
	}
	sealIn struct {
		Body struct {
			InstitutionID ids.Institution `json:"institution_id"`
		}
	}
	revokeIn struct {
		KeyID string `path:"key_id" format:"uuid"`
		Body  struct {
			Reason string `json:"reason" enum:"key_compromise,ended"`
		}
	}
)
