-- Jobs are claims or questions. Of a question, `size_class` is `cohort-narrow` or `cohort-wide`, `payer` is empty, and
-- `account_lock` is null.

CREATE TABLE datasets (
    sequence   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    dataset    BYTEA    NOT NULL,                    -- its digest
    path       TEXT    NOT NULL,                    -- below the data folder's `datasets`
    registered BIGINT NOT NULL,
    UNIQUE (tenant, dataset)
);

-- Who asked what: questions, never figures. An answer's row is committed with the answer, so that none leaves without it.
CREATE TABLE query_ledger (
    sequence        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant          TEXT    NOT NULL,
    dataset         BYTEA    NOT NULL,
    at              BIGINT NOT NULL,
    role            TEXT    NOT NULL,
    query           TEXT    NOT NULL,               -- canonical
    digest          BYTEA    NOT NULL,
    threshold       BIGINT NOT NULL,
    consent_version BIGINT,                        -- of an answer
    refused         TEXT,                           -- the reason of a refusal
    job             BYTEA,
    CHECK ((refused IS NULL) = (consent_version IS NOT NULL))
);

CREATE INDEX query_ledger_dataset ON query_ledger (tenant, dataset, sequence);

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the table % is append-only', TG_TABLE_NAME;
END $$;

CREATE TRIGGER query_ledger_is_only_appended_to BEFORE UPDATE OR DELETE OR TRUNCATE ON query_ledger
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
