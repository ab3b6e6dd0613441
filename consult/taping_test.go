package consult

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"yuanzhen/internal/ids"
)

func TestARecordingThatIsNotSettledInTimeIsLookedAtAgain(t *testing.T) {
	s, p := &Service{Tapes: &Tapes{}}, matter{visit: ids.New[ids.Visit]()}
	release, err := s.Tapes.hold(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.settleRecording(soon, p); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while somebody decides: %v", err)
	}
	if due := s.Tapes.due(nil); len(due) > 0 {
		t.Errorf("%v is looked at while somebody decides", due)
	}
	release()
	if due := s.Tapes.due(nil); !slices.Equal(due, []matter{p}) {
		t.Errorf("looked at again: %v", due)
	}
}
