package app

import (
	"context"
	"path/filepath"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/pg/pgserver"
)

// Database finds the database of these options for a command that runs beside the
// house: the outside one, the cluster that a running house keeps, or the cluster in
// the data folder, started for the time of the command.
func Database(ctx context.Context, o *Options) (url string, stop func(), err error) {
	if o.DatabaseURL != "" {
		return o.DatabaseURL, func() {}, nil
	}
	if o.Data, err = filepath.Abs(o.Data); err != nil {
		return "", nil, err
	}
	server, err := pgserver.Attach(o.Data)
	if err == nil && server == nil {
		server, err = pgserver.Start(ctx, pgserver.Options{Dir: o.Data, NPM: npmFolders(o)})
	}
	if err != nil {
		return "", nil, err
	}
	return server.URL, server.Stop, nil
}

// AuditLog opens the audit log of these options; call stop afterwards.
func AuditLog(ctx context.Context, o *Options) (log *audit.Log, stop func(), err error) {
	url, stopServer, err := Database(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	db, err := pg.Open(ctx, url)
	if err != nil {
		stopServer()
		return nil, nil, err
	}
	stop = func() { db.Close(); stopServer() }
	vault, err := openVault(o)
	if err == nil {
		log, err = audit.NewLog(db, vault.Signer("audit"))
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return log, stop, nil
}
