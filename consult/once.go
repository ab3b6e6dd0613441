package consult

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"

	"github.com/google/uuid"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
)

// once runs a deed in one transaction the first time the account sends its Idempotency-Key, and gives the first answer
// again afterwards: also to a second sending that arrives while the first still runs. A deed that failed left nothing and may be
// tried again under its key. The key stands for what was asked; another wish under it is refused.
func once[T any](ctx context.Context, s *Service, key string, asked any, deed func(tx tx) (T, error)) (answer T, fresh bool, err error) {
	scope := authz.ScopeFrom(ctx)
	wish, err := json.Marshal(asked)
	if err != nil {
		return answer, false, err
	}
	if _, err := uuid.Parse(key); err != nil {
		return answer, false, fault.New(fault.Invalid, "key_missing", "缺少 Idempotency-Key（UUID）。", "The Idempotency-Key (a UUID) is missing.").
			WithRemedy("请刷新页面再试。", "Please reload the page and try again.").Because(err)
	}
	sum := sha256.Sum256(append([]byte(scope.Action+"\n"), wish...))
	err = s.inTx(ctx, func(tx tx) error {
		var zero T
		answer = zero
		if fresh, err = claimDeed(ctx, tx, scope.Subject.Account, key, scope.Action, sum[:]); err != nil {
			return err
		}
		if !fresh {
			then, first, err := findDeed(ctx, tx, scope.Subject.Account, key)
			if err != nil {
				return err
			}
			if !bytes.Equal(then, sum[:]) {
				return fault.New(fault.Conflict, "key_reused", "这个请求编号已经用于另一件事。", "This Idempotency-Key was used for something else.").
					WithRemedy("请刷新页面再试。", "Please reload the page and try again.")
			}
			return json.Unmarshal(first, &answer)
		}
		if answer, err = deed(tx); err != nil {
			return err
		}
		text, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		return putDeedAnswer(ctx, tx, scope.Subject.Account, key, text)
	})
	return answer, fresh && err == nil, err
}

// nothing is the answer of a deed that has none.
type nothing struct{}
