-- Jobs are claims or questions. Of a question, `size_class` is `cohort-narrow` or `cohort-wide`, `payer` is empty, and
-- `account_lock` is null.

CREATE TABLE datasets (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant     TEXT    NOT NULL,
    dataset    BLOB    NOT NULL,                    -- its digest
    path       TEXT    NOT NULL,                    -- below the data folder's `datasets`
    registered INTEGER NOT NULL,
    UNIQUE (tenant, dataset)
) STRICT;

-- Who asked what: questions, never figures. An answer's row is committed with the answer, so that none leaves without it.
CREATE TABLE query_ledger (
    sequence        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant          TEXT    NOT NULL,
    dataset         BLOB    NOT NULL,
    at              INTEGER NOT NULL,
    role            TEXT    NOT NULL,
    query           TEXT    NOT NULL,               -- canonical
    digest          BLOB    NOT NULL,
    threshold       INTEGER NOT NULL,
    consent_version INTEGER,                        -- of an answer
    refused         TEXT,                           -- the reason of a refusal
    job             BLOB,
    CHECK ((refused IS NULL) = (consent_version IS NOT NULL))
) STRICT;

CREATE INDEX query_ledger_dataset ON query_ledger (tenant, dataset, sequence);

CREATE TRIGGER query_ledger_is_not_changed BEFORE UPDATE ON query_ledger
BEGIN SELECT RAISE(ABORT, 'the query ledger is append-only'); END;

CREATE TRIGGER query_ledger_is_not_shortened BEFORE DELETE ON query_ledger
BEGIN SELECT RAISE(ABORT, 'the query ledger is append-only'); END;
