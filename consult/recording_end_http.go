package consult

import (
	"context"

	"yuanzhen/internal/httpapi"
	"yuanzhen/internal/ids"
)

func (s *Service) recordingEndRoutes(api *httpapi.API) {
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/recordings/rules", Action: "recording.rules",
		Summary: "Whether visits must be recorded, and how long recordings are kept"}, func(ctx context.Context, _ *struct{}) (*bodyOut[[]RecordingRules], error) {
		list, err := s.RecordingRules(ctx)
		return &bodyOut[[]RecordingRules]{list}, err
	})
	httpapi.Register(api, httpapi.Op{Method: "PUT", Path: "/api/v1/recordings/rules/{id}", Action: "recording.rules",
		Summary: "Decide about the recordings of an institution from now on"}, func(ctx context.Context, in *recordingRulesIn) (*bodyOut[RecordingRules], error) {
		r, err := s.SetRecordingRules(ctx, in.ID, in.Body)
		return &bodyOut[RecordingRules]{r}, err
	})
	httpapi.Register(api, httpapi.Op{Method: "GET", Path: "/api/v1/recordings/ending", Action: "recording.end",
		Summary: "Recordings whose time is over, those held for a dispute, and what was destroyed lately; or those of one day"}, func(ctx context.Context, in *endingIn) (*bodyOut[[]EndingRecording], error) {
		list, err := s.EndingRecordings(ctx, in.Day)
		return &bodyOut[[]EndingRecording]{list}, err
	})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/recordings/ending", Action: "recording.end",
		Summary: "Agree that recordings are destroyed; two have to"}, func(ctx context.Context, in *agreeIn) (*bodyOut[[]EndingRecording], error) {
		list, err := s.AgreeToEnd(ctx, in.Body.Recordings)
		return &bodyOut[[]EndingRecording]{list}, err
	})
	httpapi.Register(api, httpapi.Op{Method: "POST", Path: "/api/v1/recordings/{id}/hold", Action: "recording.end",
		Summary: "Keep a recording for a dispute, or release it"}, func(ctx context.Context, in *tapeHoldIn) (*bodyOut[EndingRecording], error) {
		r, err := s.HoldRecording(ctx, in.ID, in.Body.Why)
		return &bodyOut[EndingRecording]{r}, err
	})
}

type recordingRulesIn struct {
	ID   ids.Institution `path:"id" format:"uuid"`
	Body NewRecordingRules
}

type endingIn struct {
	Day string `query:"day" format:"date" doc:"All that were made on this day"`
}

type agreeIn struct {
	Body struct {
		Recordings []ids.Recording `json:"recordings" minItems:"1" maxItems:"500" uniqueItems:"true" doc:"As they were read"`
	}
}

type tapeHoldIn struct {
	ID   ids.Recording `path:"id" format:"uuid"`
	Body struct {
		Why string `json:"why" maxLength:"200" doc:"The dispute; empty to release"`
	}
}
