-- Who asked what, what was released, under which rule: one log a tenant, each entry's hash over the entry before it
-- (docs/audit.md). No data of a record.

CREATE TABLE audit_logs (
    tenant TEXT NOT NULL PRIMARY KEY,
    log    BLOB NOT NULL CHECK (LENGTH(log) = 32)   -- its name: random
) STRICT;

CREATE TABLE audit_entries (
    tenant   TEXT    NOT NULL REFERENCES audit_logs (tenant),
    sequence INTEGER NOT NULL,                      -- from 1, without a gap
    at       INTEGER NOT NULL,
    event    TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    roles    TEXT    NOT NULL,                      -- with commas between them
    method   TEXT    NOT NULL,
    facts    TEXT    NOT NULL,                      -- a JSON object of texts
    hash     BLOB    NOT NULL,
    job      BLOB,                                  -- facts that entries are looked up by
    member   BLOB,                                  -- keyed digest
    dataset  BLOB,
    PRIMARY KEY (tenant, sequence)
) STRICT;

CREATE INDEX audit_entries_job ON audit_entries (tenant, job) WHERE job IS NOT NULL;
CREATE INDEX audit_entries_member ON audit_entries (tenant, member) WHERE member IS NOT NULL;
CREATE INDEX audit_entries_dataset ON audit_entries (tenant, dataset) WHERE dataset IS NOT NULL;
CREATE INDEX audit_entries_break_glass ON audit_entries (tenant, sequence) WHERE event = 'break_glass';

-- An insert that replaces deletes without its trigger: so only the next entry is inserted at all.
CREATE TRIGGER audit_entries_follow BEFORE INSERT ON audit_entries
WHEN NEW.sequence <> 1 + COALESCE((SELECT MAX(sequence) FROM audit_entries WHERE tenant = NEW.tenant), 0)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_entries_are_not_changed BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_entries_are_not_removed BEFORE DELETE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_logs_are_begun_once BEFORE INSERT ON audit_logs
WHEN EXISTS (SELECT 1 FROM audit_logs WHERE tenant = NEW.tenant)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_logs_are_not_changed BEFORE UPDATE ON audit_logs
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_logs_are_not_removed BEFORE DELETE ON audit_logs
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
