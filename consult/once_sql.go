package consult

import (
	"context"

	"yuanzhen/internal/ids"
)

// claimDeed is false if the key was used before. It waits for a deed that runs under the key at this moment.
func claimDeed(ctx context.Context, tx tx, account ids.Account, key, action string, asked []byte) (bool, error) {
	tag, err := tx.Exec(ctx, `INSERT INTO deed (account_id, key, action, asked) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		account, key, action, asked)
	return tag.RowsAffected() == 1, err
}

func findDeed(ctx context.Context, tx tx, account ids.Account, key string) (asked, answer []byte, err error) {
	err = tx.QueryRow(ctx, `SELECT asked, answer FROM deed WHERE account_id = $1 AND key = $2`, account, key).Scan(&asked, &answer)
	return asked, answer, err
}

func putDeedAnswer(ctx context.Context, tx tx, account ids.Account, key string, answer []byte) error {
	_, err := tx.Exec(ctx, `UPDATE deed SET answer = $3 WHERE account_id = $1 AND key = $2`, account, key, answer)
	return err
}
