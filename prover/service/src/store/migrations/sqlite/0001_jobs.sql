-- Times are milliseconds since 1970-01-01 UTC. Sealed columns open only with the master key.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE jobs (
    sequence        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant          TEXT    NOT NULL,
    id              BLOB    NOT NULL UNIQUE,
    idempotency     BLOB    NOT NULL,               -- keyed digest of the caller's key
    request_digest  BLOB    NOT NULL,               -- keyed digest of the request's bytes
    payer           BLOB    NOT NULL,
    account_lock    BLOB,                           -- keyed digest of member, coverage and year; null when not enrolled
    size_class      TEXT    NOT NULL,
    priority        INTEGER NOT NULL,
    deadline        INTEGER,
    rebases_spent   INTEGER NOT NULL CHECK (rebases_spent IN (0, 1)),
    state           TEXT    NOT NULL
        CHECK (state IN ('queued', 'leased', 'waiting', 'done', 'failed', 'cancelled')),
    accepted        INTEGER NOT NULL,
    started         INTEGER,
    ended           INTEGER,
    attempts        INTEGER NOT NULL DEFAULT 0,     -- leases taken
    losses          INTEGER NOT NULL DEFAULT 0,     -- leases lost
    rebases         INTEGER NOT NULL DEFAULT 0,
    fence           INTEGER NOT NULL DEFAULT 0,     -- rises with every lease: an old holder's result is refused
    lease_until     INTEGER,
    waiting         TEXT,
    failure_code    TEXT,
    failure_message TEXT,
    failure_lines   TEXT,
    witness         BLOB,                           -- sealed; gone once the job has ended
    result          BLOB,                           -- sealed
    UNIQUE (tenant, idempotency),
    CHECK ((state = 'leased') = (lease_until IS NOT NULL)),
    CHECK ((state = 'waiting') = (waiting IS NOT NULL)),
    CHECK ((state = 'done') = (result IS NOT NULL)),
    CHECK ((state = 'failed') = (failure_code IS NOT NULL)),
    CHECK ((state IN ('done', 'failed', 'cancelled')) = (ended IS NOT NULL)),
    CHECK ((ended IS NULL) = (witness IS NOT NULL))
) STRICT;

CREATE INDEX jobs_queued  ON jobs (priority DESC, sequence) WHERE state = 'queued';
CREATE INDEX jobs_leased  ON jobs (tenant, account_lock)    WHERE state = 'leased';
CREATE INDEX jobs_waiting ON jobs (tenant, payer)           WHERE state = 'waiting';
CREATE INDEX jobs_open    ON jobs (tenant)                  WHERE ended IS NULL;
CREATE INDEX jobs_ended   ON jobs (ended)                   WHERE ended IS NOT NULL;
CREATE INDEX jobs_tenant  ON jobs (tenant, sequence);

-- What approvals have used up. Outlives the jobs: a purge of old jobs never reopens an account or a line.
CREATE TABLE spends (
    tenant TEXT NOT NULL,
    tag    BLOB NOT NULL,
    job    BLOB NOT NULL,
    PRIMARY KEY (tenant, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE nullifiers (
    tenant    TEXT NOT NULL,
    nullifier BLOB NOT NULL,
    job       BLOB NOT NULL,
    PRIMARY KEY (tenant, nullifier)
) STRICT, WITHOUT ROWID;

CREATE TABLE authorisation_uses (
    tenant TEXT NOT NULL,
    tag    BLOB NOT NULL,
    job    BLOB NOT NULL,
    PRIMARY KEY (tenant, tag)
) STRICT, WITHOUT ROWID;

-- The newest account that an approval of this service made, for the claims that it overtook.
CREATE TABLE accounts (
    tenant       TEXT    NOT NULL,
    account_lock BLOB    NOT NULL,
    version      INTEGER NOT NULL,
    job          BLOB    NOT NULL,
    account      BLOB    NOT NULL,                  -- sealed
    PRIMARY KEY (tenant, account_lock)
) STRICT, WITHOUT ROWID;

-- What payers published.
CREATE TABLE epochs (
    tenant    TEXT    NOT NULL,
    payer     BLOB    NOT NULL,
    number    BLOB    NOT NULL,                     -- 8 bytes, big-endian
    root      BLOB    NOT NULL,
    venue     BLOB    NOT NULL,                     -- chain id (8 bytes, big-endian) and contract
    roots     BLOB    NOT NULL,                     -- policy, diagnosis, enrolment, provider, authorisation
    published INTEGER NOT NULL,
    PRIMARY KEY (tenant, payer, number)
) STRICT;

CREATE TABLE account_registers (
    tenant    TEXT    NOT NULL,
    payer     BLOB    NOT NULL,
    revision  INTEGER NOT NULL,
    root      BLOB    NOT NULL,
    notes     BLOB    NOT NULL,                     -- 32 bytes each
    published INTEGER NOT NULL,
    PRIMARY KEY (tenant, payer)
) STRICT;
