-- What is only appended to is not put in between: a row whose key is there is refused before anything is done about the conflict, and what
-- is numbered is numbered upwards, within its tenant, whose transactions take turns. (`audit_entries` is guarded so since it is there.)

CREATE INDEX query_ledger_tenant ON query_ledger (tenant, sequence);
CREATE INDEX consent_statements_tenant ON consent_statements (tenant, sequence);

CREATE FUNCTION query_ledger_rises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM query_ledger WHERE sequence = NEW.sequence)
        OR EXISTS (SELECT 1 FROM query_ledger WHERE tenant = NEW.tenant AND sequence >= NEW.sequence) THEN
        RAISE EXCEPTION 'the query ledger is append-only';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER query_ledger_rises BEFORE INSERT ON query_ledger
FOR EACH ROW EXECUTE FUNCTION query_ledger_rises();

CREATE FUNCTION consent_statements_rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM consent_statements WHERE id = NEW.id OR sequence = NEW.sequence)
        OR EXISTS (SELECT 1 FROM consent_statements WHERE tenant = NEW.tenant AND sequence >= NEW.sequence) THEN
        RAISE EXCEPTION 'the table consent_statements is append-only';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER consent_statements_rise BEFORE INSERT ON consent_statements
FOR EACH ROW EXECUTE FUNCTION consent_statements_rise();

CREATE FUNCTION consent_request_is_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM consent_requests WHERE tenant = NEW.tenant AND idempotency = NEW.idempotency) THEN
        RAISE EXCEPTION 'the table consent_requests is append-only';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER consent_requests_are_new BEFORE INSERT ON consent_requests
FOR EACH ROW EXECUTE FUNCTION consent_request_is_new();

CREATE FUNCTION consent_epoch_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number <> 1 + COALESCE((SELECT MAX(number) FROM consent_epochs WHERE tenant = NEW.tenant), 0) THEN
        RAISE EXCEPTION 'the table consent_epochs is append-only';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER consent_epochs_follow BEFORE INSERT ON consent_epochs
FOR EACH ROW EXECUTE FUNCTION consent_epoch_follows();

CREATE FUNCTION dataset_consents_rise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM dataset_consents WHERE tenant = NEW.tenant AND dataset = NEW.dataset AND name = NEW.name
        AND version >= NEW.version) THEN
        RAISE EXCEPTION 'the table dataset_consents is append-only';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER dataset_consents_rise BEFORE INSERT ON dataset_consents
FOR EACH ROW EXECUTE FUNCTION dataset_consents_rise();

CREATE FUNCTION audit_log_is_begun_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM audit_logs WHERE tenant = NEW.tenant) THEN
        RAISE EXCEPTION 'the audit log is append-only';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER audit_logs_are_begun_once BEFORE INSERT ON audit_logs
FOR EACH ROW EXECUTE FUNCTION audit_log_is_begun_once();
