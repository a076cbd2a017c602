-- The ledger of consents: statements are added and never changed, and the newest of a subject counts. Of whom and to whom it is, is sealed;
-- `subject` is a keyed digest of member, payer, purpose and data class, `member` one of the member.
CREATE TABLE consent_statements (
    sequence  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant    TEXT    NOT NULL,
    id        BYTEA    NOT NULL UNIQUE,              -- what the seal is bound to
    subject   BYTEA    NOT NULL,
    member    BYTEA    NOT NULL,
    effect    TEXT    NOT NULL CHECK (effect IN ('permit', 'deny', 'revoke')),
    stated    BIGINT NOT NULL,
    statement BYTEA    NOT NULL                      -- sealed
);

CREATE INDEX consent_statements_subject ON consent_statements (tenant, subject, sequence);
CREATE INDEX consent_statements_member  ON consent_statements (tenant, member, sequence);

-- What was asked of the ledger, so that the same request is answered as before.
CREATE TABLE consent_requests (
    tenant      TEXT    NOT NULL,
    idempotency BYTEA    NOT NULL,                   -- keyed digest of the caller's key
    request     BYTEA    NOT NULL,                   -- keyed digest of the request
    id          BYTEA    NOT NULL,                   -- what the seal is bound to
    answered    BIGINT NOT NULL,
    outcome     BYTEA    NOT NULL,                   -- sealed
    PRIMARY KEY (tenant, idempotency)
);

-- The registers that were published: what the ledger said through a line of it.
CREATE TABLE consent_epochs (
    tenant    TEXT    NOT NULL,
    number    BIGINT NOT NULL,
    root      BYTEA    NOT NULL,
    consents  BIGINT NOT NULL,                       -- leaves
    through   BIGINT NOT NULL,                       -- the ledger's last line in it
    published BIGINT NOT NULL,
    PRIMARY KEY (tenant, number)
);

-- Versions of the consents of datasets' tables, as they became the newest.
CREATE TABLE dataset_consents (
    tenant   TEXT    NOT NULL,
    dataset  BYTEA    NOT NULL,
    name     TEXT    NOT NULL,                      -- of the table
    version  BIGINT NOT NULL,
    commitment BYTEA NOT NULL,                   -- tells it from another version of the same number
    recorded BIGINT NOT NULL,
    PRIMARY KEY (tenant, dataset, name, version)
);

-- Keyed digest of the consent that a claim relies on; null of questions, and of claims that an older release accepted until they are taken.
ALTER TABLE jobs ADD COLUMN consent BYTEA;

CREATE INDEX jobs_consent ON jobs (tenant, consent) WHERE ended IS NULL;

CREATE TRIGGER consent_statements_is_only_appended_to BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_statements
FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE TRIGGER consent_requests_is_only_appended_to BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_requests
FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE TRIGGER consent_epochs_is_only_appended_to BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_epochs
FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE TRIGGER dataset_consents_is_only_appended_to BEFORE UPDATE OR DELETE OR TRUNCATE ON dataset_consents
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
