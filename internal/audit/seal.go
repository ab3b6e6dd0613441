package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"yuanzhen/internal/pg"
)

// Log seals entries and proves that nothing sealed was changed.
type Log struct {
	DB     *pg.Pool
	Signer note.Signer
	Key    note.Verifier
	Public ed25519.PublicKey // of Key
}

// logName stands in every signed head (golang.org/x/mod/sumdb/note).
const logName = "yuanzhen-audit"

// NewLog makes the log of a database with its signing key.
func NewLog(db *pg.Pool, key ed25519.PrivateKey) (*Log, error) {
	public := append([]byte{1}, key.Public().(ed25519.PublicKey)...) // 1 is note's algorithm byte for Ed25519
	sum := sha256.Sum256(append([]byte(logName+"\n"), public...))
	hash := binary.BigEndian.Uint32(sum[:4])
	signer, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", logName, hash,
		base64.StdEncoding.EncodeToString(append([]byte{1}, key.Seed()...))))
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(fmt.Sprintf("%s+%08x+%s", logName, hash, base64.StdEncoding.EncodeToString(public)))
	if err != nil {
		return nil, err
	}
	return &Log{DB: db, Signer: signer, Key: verifier, Public: key.Public().(ed25519.PublicKey)}, nil
}

// sealLock is the advisory lock that keeps two sealers from numbering at once.
const sealLock = 0x61756469

// sealBatch bounds one transaction of the sealer.
const sealBatch = 2000

// Seal folds the entries that are not yet in the tree into it, signs a new head and
// returns how many it took. Order in the tree is the order of sealing.
func (l *Log) Seal(ctx context.Context) (int, error) {
	sealed := 0
	err := l.DB.InTx(ctx, func(tx pgx.Tx) error {
		sealed = 0
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, sealLock); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT `+rowColumns+` FROM audit_entry WHERE leaf IS NULL ORDER BY id LIMIT $1`, sealBatch)
		if err != nil {
			return err
		}
		entries, err := pgx.CollectRows(rows, pgx.RowToStructByName[row])
		if err != nil || len(entries) == 0 {
			return err
		}
		var size int64
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(size), 0) FROM audit_head`).Scan(&size); err != nil {
			return err
		}
		fresh := map[int64]tlog.Hash{}
		reader := hashReader(ctx, tx, fresh)
		var batch pgx.Batch
		for _, e := range entries {
			hashes, err := tlog.StoredHashes(size, e.leaf(), reader)
			if err != nil {
				return err
			}
			first := tlog.StoredHashIndex(0, size)
			for i, h := range hashes {
				fresh[first+int64(i)] = h
				batch.Queue(`INSERT INTO audit_hash (index, hash) VALUES ($1, $2)`, first+int64(i), h[:])
			}
			batch.Queue(`UPDATE audit_entry SET leaf = $2 WHERE id = $1`, e.ID, size)
			size++
		}
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
		root, err := tlog.TreeHash(size, reader)
		if err != nil {
			return err
		}
		signed, err := note.Sign(&note.Note{Text: headText(size, root)}, l.Signer)
		if err != nil {
			return err
		}
		sealed = len(entries)
		_, err = tx.Exec(ctx, `INSERT INTO audit_head (size, root, note, at) VALUES ($1, $2, $3, clock_timestamp())`, size, root[:], string(signed))
		return err
	})
	return sealed, err
}

func headText(size int64, root tlog.Hash) string {
	return fmt.Sprintf("%s\n%d\n%s\n", logName, size, root)
}

// hashReader reads stored hashes, those of this transaction first.
func hashReader(ctx context.Context, tx pg.DB, fresh map[int64]tlog.Hash) tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			h, ok := fresh[index]
			if !ok {
				var b []byte
				if err := tx.QueryRow(ctx, `SELECT hash FROM audit_hash WHERE index = $1`, index).Scan(&b); err != nil {
					return nil, fmt.Errorf("tree hash %d: %w", index, err)
				}
				copy(h[:], b)
				fresh[index] = h
			}
			out[i] = h
		}
		return out, nil
	}
}

// Witness is one sealed entry with all that shows to anybody that it stands in the log.
type Witness struct {
	Entry string   `json:"entry" doc:"the entry, line by line as it is hashed"`
	Leaf  int64    `json:"leaf" doc:"its place in the tree"`
	Path  [][]byte `json:"path" doc:"hashes from the leaf to the root (RFC 9162, section 2.1.3)"`
	Head  string   `json:"head" doc:"signed note over size and root of the tree"`
}

// Witnesses finds the entries about an object whose action begins with a word, as far as they are sealed.
func (l *Log) Witnesses(ctx context.Context, db pg.DB, object, action string) ([]Witness, error) {
	rows, err := db.Query(ctx, `SELECT `+rowColumns+`, leaf FROM audit_entry WHERE object = $1 AND starts_with(action, $2) AND leaf IS NOT NULL ORDER BY leaf`, object, action)
	if err != nil {
		return nil, err
	}
	type sealedRow struct {
		row
		Leaf int64
	}
	entries, err := pgx.CollectRows(rows, pgx.RowToStructByName[sealedRow])
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	var size int64
	var head string
	if err := db.QueryRow(ctx, `SELECT size, note FROM audit_head ORDER BY size DESC LIMIT 1`).Scan(&size, &head); err != nil {
		return nil, err
	}
	reader := hashReader(ctx, db, map[int64]tlog.Hash{})
	list := make([]Witness, 0, len(entries))
	for _, e := range entries {
		if e.Leaf >= size {
			continue // sealed between the two questions
		}
		path, err := tlog.ProveRecord(size, e.Leaf, reader)
		if err != nil {
			return nil, err
		}
		w := Witness{Entry: string(e.leaf()), Leaf: e.Leaf, Head: head}
		for _, h := range path {
			w.Path = append(w.Path, h[:])
		}
		list = append(list, w)
	}
	return list, nil
}

// Report is the result of Verify.
type Report struct {
	Sealed   int64    `json:"sealed"`   // entries in the tree
	Unsealed int64    `json:"unsealed"` // written since the last head; sealed within seconds
	Heads    int      `json:"heads"`    // signed heads, all checked
	Problems []string `json:"problems"` // empty: nothing was altered, added or removed
}

// Good reports whether the log is whole.
func (r Report) Good() bool { return len(r.Problems) == 0 }

// maxProblems bounds the report: one altered row is as damning as a thousand.
const maxProblems = 20

// Verify hashes every sealed row anew, rebuilds the tree in memory of logarithmic
// size, and holds it against each signed head. It trusts nothing but the key.
func (l *Log) Verify(ctx context.Context) (Report, error) {
	r := Report{Problems: []string{}}
	complain := func(format string, args ...any) {
		if len(r.Problems) < maxProblems {
			r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
		}
	}
	// One snapshot: entries and heads belong together while the sealer goes on.
	tx, err := l.DB.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return r, err
	}
	defer tx.Rollback(ctx)
	heads, err := l.heads(ctx, tx, complain)
	if err != nil {
		return r, err
	}
	r.Heads = len(heads)
	rows, err := tx.Query(ctx, `
		SELECT `+rowColumns+`, leaf, (SELECT hash FROM audit_hash h WHERE h.index = leaf_index(leaf)) AS hash
		FROM audit_entry WHERE leaf IS NOT NULL ORDER BY leaf`)
	if err != nil {
		return r, err
	}
	var tree subtrees
	type sealedRow struct {
		row
		Leaf int64
		Hash []byte
	}
	for rows.Next() {
		e, err := pgx.RowToStructByName[sealedRow](rows)
		if err != nil {
			return r, err
		}
		if e.Leaf != tree.size {
			complain("sealed entries %d to %d are missing", tree.size, e.Leaf-1)
			break
		}
		hash := tlog.RecordHash(e.leaf())
		if !bytes.Equal(hash[:], e.Hash) {
			complain("entry %d (leaf %d) was altered after it was sealed", e.ID, e.Leaf)
		}
		tree.add(hash)
		if want, ok := heads[tree.size]; ok && tree.root() != want {
			complain("the tree of %d entries does not fit its signed head", tree.size)
		}
		delete(heads, tree.size)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return r, err
	}
	r.Sealed = tree.size
	for size := range heads {
		complain("the signed head of %d entries has no entries to stand for: the log was cut to %d", size, tree.size)
	}
	err = tx.QueryRow(ctx, `SELECT count(*) FROM audit_entry WHERE leaf IS NULL`).Scan(&r.Unsealed)
	return r, err
}

// heads reads and checks the signed heads: size → root.
func (l *Log) heads(ctx context.Context, tx pgx.Tx, complain func(string, ...any)) (map[int64]tlog.Hash, error) {
	rows, err := tx.Query(ctx, `SELECT size, root, note FROM audit_head ORDER BY size`)
	if err != nil {
		return nil, err
	}
	type head struct {
		Size int64
		Root []byte
		Note string
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[head])
	if err != nil {
		return nil, err
	}
	heads := map[int64]tlog.Hash{}
	for _, h := range list {
		n, err := note.Open([]byte(h.Note), note.VerifierList(l.Key))
		if err != nil {
			complain("the head of %d entries is not signed by this installation's key: %v", h.Size, unverified(err))
			continue
		}
		var root tlog.Hash
		copy(root[:], h.Root)
		if n.Text != headText(h.Size, root) {
			complain("the head of %d entries says something else than its signature", h.Size)
			continue
		}
		heads[h.Size] = root
	}
	return heads, nil
}

func unverified(err error) string {
	var e *note.UnverifiedNoteError
	if errors.As(err, &e) {
		return "unknown key"
	}
	return strings.TrimSpace(err.Error())
}

// subtrees is a Merkle tree that remembers only the roots of its complete
// subtrees, largest first: all that is needed to add leaves and know the root.
type subtrees struct {
	size  int64
	roots []tlog.Hash
}

func (t *subtrees) add(leaf tlog.Hash) {
	t.roots = append(t.roots, leaf)
	for n := t.size; n&1 == 1; n >>= 1 {
		last := len(t.roots) - 1
		t.roots = append(t.roots[:last-1], tlog.NodeHash(t.roots[last-1], t.roots[last]))
	}
	t.size++
}

func (t *subtrees) root() tlog.Hash {
	h := t.roots[len(t.roots)-1]
	for i := len(t.roots) - 2; i >= 0; i-- {
		h = tlog.NodeHash(t.roots[i], h)
	}
	return h
}
