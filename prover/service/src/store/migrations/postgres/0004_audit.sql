-- Who asked what, what was released, under which rule: one log a tenant, each entry's hash over the entry before it
-- (docs/audit.md). No data of a record.

CREATE TABLE audit_logs (
    tenant TEXT  NOT NULL PRIMARY KEY,
    log    BYTEA NOT NULL CHECK (LENGTH(log) = 32)  -- its name: random
);

CREATE TABLE audit_entries (
    tenant   TEXT   NOT NULL REFERENCES audit_logs (tenant),
    sequence BIGINT NOT NULL,                       -- from 1, without a gap
    at       BIGINT NOT NULL,
    event    TEXT   NOT NULL,
    subject  TEXT   NOT NULL,
    roles    TEXT   NOT NULL,                       -- with commas between them
    method   TEXT   NOT NULL,
    facts    TEXT   NOT NULL,                       -- a JSON object of texts
    hash     BYTEA  NOT NULL,
    job      BYTEA,                                 -- facts that entries are looked up by
    member   BYTEA,                                 -- keyed digest
    dataset  BYTEA,
    PRIMARY KEY (tenant, sequence)
);

CREATE INDEX audit_entries_job ON audit_entries (tenant, job) WHERE job IS NOT NULL;
CREATE INDEX audit_entries_member ON audit_entries (tenant, member) WHERE member IS NOT NULL;
CREATE INDEX audit_entries_dataset ON audit_entries (tenant, dataset) WHERE dataset IS NOT NULL;
CREATE INDEX audit_entries_break_glass ON audit_entries (tenant, sequence) WHERE event = 'break_glass';

CREATE FUNCTION audit_entry_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.sequence <> 1 + COALESCE((SELECT MAX(sequence) FROM audit_entries WHERE tenant = NEW.tenant), 0) THEN
        RAISE EXCEPTION 'the audit log is append-only';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER audit_entries_follow BEFORE INSERT ON audit_entries
FOR EACH ROW EXECUTE FUNCTION audit_entry_follows();

CREATE TRIGGER audit_entries_are_only_appended_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE TRIGGER audit_logs_are_only_appended_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_logs
FOR EACH STATEMENT EXECUTE FUNCTION append_only();
