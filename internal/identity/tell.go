package identity

import (
	"context"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
)

// Tell texts an account's phone after the deed was committed. An account without a phone is told by its screens alone.
func (s *Service) Tell(ctx context.Context, tx pgx.Tx, account ids.Account, text string) error {
	sealed, err := s.sealedPhone(ctx, tx, account)
	if err != nil || sealed == nil {
		return err
	}
	phone, err := s.Vault.Open("house", "account.phone", sealed)
	if err != nil {
		return err
	}
	return s.SMS.Queue(ctx, tx, s.Queue, string(phone), text)
}
