package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
)

//go:embed schema/*.sql
var schemas embed.FS

// schemaVersion is the newest schema this program knows: the number of the
// last file in schema/.
const schemaVersion = 1

// migrate brings the schema forward in one transaction. The version is
// SQLite's own user_version.
func (s *Store) migrate(ctx context.Context) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		var have int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
			return fmt.Errorf("cannot read the database's version: %w", err)
		}
		for v := have + 1; v <= schemaVersion; v++ {
			text, err := schemas.ReadFile(fmt.Sprintf("schema/%04d.sql", v))
			if err != nil {
				return fmt.Errorf("cannot find schema %d: %w", v, err)
			}
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return fmt.Errorf("cannot bring the database to version %d: %w", v, err)
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion))
		return err
	})
}
