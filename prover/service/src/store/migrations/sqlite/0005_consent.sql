-- The ledger of consents: statements are added and never changed, and the newest of a subject counts. Of whom and to whom it is, is sealed;
-- `subject` is a keyed digest of member, payer, purpose and data class, `member` one of the member.
CREATE TABLE consent_statements (
    sequence  INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant    TEXT    NOT NULL,
    id        BLOB    NOT NULL UNIQUE,              -- what the seal is bound to
    subject   BLOB    NOT NULL,
    member    BLOB    NOT NULL,
    effect    TEXT    NOT NULL CHECK (effect IN ('permit', 'deny', 'revoke')),
    stated    INTEGER NOT NULL,
    statement BLOB    NOT NULL                      -- sealed
) STRICT;

CREATE INDEX consent_statements_subject ON consent_statements (tenant, subject, sequence);
CREATE INDEX consent_statements_member  ON consent_statements (tenant, member, sequence);

-- What was asked of the ledger, so that the same request is answered as before.
CREATE TABLE consent_requests (
    tenant      TEXT    NOT NULL,
    idempotency BLOB    NOT NULL,                   -- keyed digest of the caller's key
    request     BLOB    NOT NULL,                   -- keyed digest of the request
    id          BLOB    NOT NULL,                   -- what the seal is bound to
    answered    INTEGER NOT NULL,
    outcome     BLOB    NOT NULL,                   -- sealed
    PRIMARY KEY (tenant, idempotency)
) STRICT;

-- The registers that were published: what the ledger said through a line of it.
CREATE TABLE consent_epochs (
    tenant    TEXT    NOT NULL,
    number    INTEGER NOT NULL,
    root      BLOB    NOT NULL,
    consents  INTEGER NOT NULL,                       -- leaves
    through   INTEGER NOT NULL,                       -- the ledger's last line in it
    published INTEGER NOT NULL,
    PRIMARY KEY (tenant, number)
) STRICT;

-- Versions of the consents of datasets' tables, as they became the newest.
CREATE TABLE dataset_consents (
    tenant   TEXT    NOT NULL,
    dataset  BLOB    NOT NULL,
    name     TEXT    NOT NULL,                      -- of the table
    version  INTEGER NOT NULL,
    commitment BLOB NOT NULL,                   -- tells it from another version of the same number
    recorded INTEGER NOT NULL,
    PRIMARY KEY (tenant, dataset, name, version)
) STRICT;

-- Keyed digest of the consent that a claim relies on; null of questions, and of claims that an older release accepted until they are taken.
ALTER TABLE jobs ADD COLUMN consent BLOB;

CREATE INDEX jobs_consent ON jobs (tenant, consent) WHERE ended IS NULL;

CREATE TRIGGER consent_statements_is_not_changed BEFORE UPDATE ON consent_statements
BEGIN SELECT RAISE(ABORT, 'the table consent_statements is append-only'); END;

CREATE TRIGGER consent_statements_is_not_shortened BEFORE DELETE ON consent_statements
BEGIN SELECT RAISE(ABORT, 'the table consent_statements is append-only'); END;

CREATE TRIGGER consent_requests_is_not_changed BEFORE UPDATE ON consent_requests
BEGIN SELECT RAISE(ABORT, 'the table consent_requests is append-only'); END;

CREATE TRIGGER consent_requests_is_not_shortened BEFORE DELETE ON consent_requests
BEGIN SELECT RAISE(ABORT, 'the table consent_requests is append-only'); END;

CREATE TRIGGER consent_epochs_is_not_changed BEFORE UPDATE ON consent_epochs
BEGIN SELECT RAISE(ABORT, 'the table consent_epochs is append-only'); END;

CREATE TRIGGER consent_epochs_is_not_shortened BEFORE DELETE ON consent_epochs
BEGIN SELECT RAISE(ABORT, 'the table consent_epochs is append-only'); END;

CREATE TRIGGER dataset_consents_is_not_changed BEFORE UPDATE ON dataset_consents
BEGIN SELECT RAISE(ABORT, 'the table dataset_consents is append-only'); END;

CREATE TRIGGER dataset_consents_is_not_shortened BEFORE DELETE ON dataset_consents
BEGIN SELECT RAISE(ABORT, 'the table dataset_consents is append-only'); END;
