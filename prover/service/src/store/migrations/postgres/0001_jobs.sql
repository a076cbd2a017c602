-- Times are milliseconds since 1970-01-01 UTC. Sealed columns open only with the master key.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE jobs (
    sequence        BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant          TEXT    NOT NULL,
    id              BYTEA    NOT NULL UNIQUE,
    idempotency     BYTEA    NOT NULL,               -- keyed digest of the caller's key
    request_digest  BYTEA    NOT NULL,               -- keyed digest of the request's bytes
    payer           BYTEA    NOT NULL,
    account_lock    BYTEA,                           -- keyed digest of member, coverage and year; null when not enrolled
    size_class      TEXT    NOT NULL,
    priority        BIGINT  NOT NULL,
    deadline        BIGINT ,
    rebases_spent   BIGINT  NOT NULL CHECK (rebases_spent IN (0, 1)),
    state           TEXT    NOT NULL
        CHECK (state IN ('queued', 'leased', 'waiting', 'done', 'failed', 'cancelled')),
    accepted        BIGINT  NOT NULL,
    started         BIGINT ,
    ended           BIGINT ,
    attempts        BIGINT  NOT NULL DEFAULT 0,     -- leases taken
    losses          BIGINT  NOT NULL DEFAULT 0,     -- leases lost
    rebases         BIGINT  NOT NULL DEFAULT 0,
    fence           BIGINT  NOT NULL DEFAULT 0,     -- rises with every lease: an old holder's result is refused
    lease_until     BIGINT ,
    waiting         TEXT,
    failure_code    TEXT,
    failure_message TEXT,
    failure_lines   TEXT,
    witness         BYTEA,                           -- sealed; gone once the job has ended
    result          BYTEA,                           -- sealed
    UNIQUE (tenant, idempotency),
    CHECK ((state = 'leased') = (lease_until IS NOT NULL)),
    CHECK ((state = 'waiting') = (waiting IS NOT NULL)),
    CHECK ((state = 'done') = (result IS NOT NULL)),
    CHECK ((state = 'failed') = (failure_code IS NOT NULL)),
    CHECK ((state IN ('done', 'failed', 'cancelled')) = (ended IS NOT NULL)),
    CHECK ((ended IS NULL) = (witness IS NOT NULL))
);

CREATE INDEX jobs_queued  ON jobs (priority DESC, sequence) WHERE state = 'queued';
-- One job of an account at a time, whoever leases.
CREATE UNIQUE INDEX jobs_leased ON jobs (tenant, account_lock) WHERE state = 'leased';
CREATE INDEX jobs_waiting ON jobs (tenant, payer)           WHERE state = 'waiting';
CREATE INDEX jobs_open    ON jobs (tenant)                  WHERE ended IS NULL;
CREATE INDEX jobs_ended   ON jobs (ended)                   WHERE ended IS NOT NULL;
CREATE INDEX jobs_tenant  ON jobs (tenant, sequence);

-- What approvals have used up. Outlives the jobs: a purge of old jobs never reopens an account or a line.
CREATE TABLE spends (
    tenant TEXT NOT NULL,
    tag    BYTEA NOT NULL,
    job    BYTEA NOT NULL,
    PRIMARY KEY (tenant, tag)
);

CREATE TABLE nullifiers (
    tenant    TEXT NOT NULL,
    nullifier BYTEA NOT NULL,
    job       BYTEA NOT NULL,
    PRIMARY KEY (tenant, nullifier)
);

CREATE TABLE authorisation_uses (
    tenant TEXT NOT NULL,
    tag    BYTEA NOT NULL,
    job    BYTEA NOT NULL,
    PRIMARY KEY (tenant, tag)
);

-- The newest account that an approval of this service made, for the claims that it overtook.
CREATE TABLE accounts (
    tenant       TEXT    NOT NULL,
    account_lock BYTEA    NOT NULL,
    version      BIGINT  NOT NULL,
    job          BYTEA    NOT NULL,
    account      BYTEA    NOT NULL,                  -- sealed
    PRIMARY KEY (tenant, account_lock)
);

-- What payers published.
CREATE TABLE epochs (
    tenant    TEXT    NOT NULL,
    payer     BYTEA    NOT NULL,
    number    BYTEA    NOT NULL,                     -- 8 bytes, big-endian
    root      BYTEA    NOT NULL,
    venue     BYTEA    NOT NULL,                     -- chain id (8 bytes, big-endian) and contract
    roots     BYTEA    NOT NULL,                     -- policy, diagnosis, enrolment, provider, authorisation
    published BIGINT  NOT NULL,
    PRIMARY KEY (tenant, payer, number)
);

CREATE TABLE account_registers (
    tenant    TEXT    NOT NULL,
    payer     BYTEA    NOT NULL,
    revision  BIGINT  NOT NULL,
    root      BYTEA    NOT NULL,
    notes     BYTEA    NOT NULL,                     -- 32 bytes each
    published BIGINT  NOT NULL,
    PRIMARY KEY (tenant, payer)
);
