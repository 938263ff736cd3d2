-- Times are microseconds since 1970, UTC. Text from the journal is redacted
-- before it gets here; URLs and tokens are never stored in the clear.

-- One row per event, in the order of arrival. seq is what streams resume from.
CREATE TABLE events (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,       -- UUIDv7 of the entry; a repeat is ignored
    at       INTEGER NOT NULL,           -- when journald received it
    kind     TEXT NOT NULL,
    instance TEXT NOT NULL DEFAULT '',
    project  TEXT NOT NULL DEFAULT '',
    label    TEXT NOT NULL DEFAULT '',
    run      TEXT NOT NULL DEFAULT '',
    status   TEXT NOT NULL DEFAULT '',
    message  TEXT NOT NULL,
    fields   TEXT NOT NULL DEFAULT '{}'  -- JSON object of strings
) STRICT;
CREATE INDEX events_instance ON events (instance, seq);
CREATE INDEX events_kind ON events (kind, seq);
CREATE INDEX events_project ON events (project, seq);
CREATE INDEX events_at ON events (at);

-- Where the journal was read to: one row, written in the transaction of the
-- event it belongs to.
CREATE TABLE journal (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    cursor TEXT NOT NULL,
    at     INTEGER NOT NULL              -- of that entry
) STRICT;

-- The outbox. UNIQUE makes a second queueing of an event to a target nothing.
CREATE TABLE deliveries (
    id       TEXT PRIMARY KEY,           -- UUIDv7
    event_id TEXT NOT NULL,
    event    TEXT NOT NULL,              -- kind
    instance TEXT NOT NULL DEFAULT '',
    channel  TEXT NOT NULL,              -- webhook, notification
    target   TEXT NOT NULL,              -- name without secrets: scheme, host, hash of the URL
    body     TEXT NOT NULL,              -- what is sent
    state    TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    next     INTEGER NOT NULL DEFAULT 0, -- due; while waiting
    code     INTEGER NOT NULL DEFAULT 0, -- HTTP status of the last attempt
    error    TEXT NOT NULL DEFAULT '',
    UNIQUE (event_id, channel, target)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (state, next);
CREATE INDEX deliveries_target ON deliveries (channel, target, state);

CREATE TABLE targets (
    channel  TEXT NOT NULL,
    target   TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0, -- in a row
    success  INTEGER NOT NULL DEFAULT 0,
    failure  INTEGER NOT NULL DEFAULT 0,
    error    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (channel, target)
) STRICT;

CREATE TABLE tokens (
    id      TEXT PRIMARY KEY,            -- UUIDv7
    label   TEXT NOT NULL,
    hash    TEXT NOT NULL UNIQUE,        -- SHA-256, hex
    scope   TEXT NOT NULL,               -- read, write
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL DEFAULT 0,
    used    INTEGER NOT NULL DEFAULT 0,
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE sessions (
    hash    TEXT PRIMARY KEY,            -- SHA-256 of the cookie's value
    login   TEXT NOT NULL,
    created INTEGER NOT NULL,
    seen    INTEGER NOT NULL
) STRICT;

CREATE TABLE throttle (
    key     TEXT PRIMARY KEY,
    count   INTEGER NOT NULL,
    since   INTEGER NOT NULL,            -- of the first failure in the window
    blocked INTEGER NOT NULL DEFAULT 0   -- until
) STRICT;

-- Counters that outlive journal, events and process.
CREATE TABLE counters (
    name  TEXT NOT NULL,
    label TEXT NOT NULL DEFAULT '',
    value INTEGER NOT NULL,
    PRIMARY KEY (name, label)
) STRICT;

-- Answers to requests with an Idempotency-Key.
CREATE TABLE idempotency (
    who     TEXT NOT NULL,
    key     TEXT NOT NULL,
    request TEXT NOT NULL,               -- SHA-256 of method, path and body
    status  INTEGER NOT NULL DEFAULT 0,  -- 0 while it runs
    body    TEXT NOT NULL DEFAULT '',
    created INTEGER NOT NULL,
    PRIMARY KEY (who, key)
) STRICT;

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
