-- What is only appended to is not replaced either: an insert that replaces deletes without its trigger. So a row whose key is there is not
-- inserted at all, and what is numbered is numbered upwards. (`audit_entries` and `audit_logs` are guarded so since they are there.)

-- A number that the database is to choose is not known before the insert; one that was given is, and one too low shows after it.
CREATE TRIGGER query_ledger_is_not_replaced BEFORE INSERT ON query_ledger
WHEN EXISTS (SELECT 1 FROM query_ledger WHERE sequence = NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'the query ledger is append-only'); END;

CREATE TRIGGER query_ledger_rises AFTER INSERT ON query_ledger
WHEN EXISTS (SELECT 1 FROM query_ledger WHERE sequence > NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'the query ledger is append-only'); END;

CREATE TRIGGER consent_statements_is_not_replaced BEFORE INSERT ON consent_statements
WHEN EXISTS (SELECT 1 FROM consent_statements WHERE sequence = NEW.sequence)
    OR EXISTS (SELECT 1 FROM consent_statements WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the table consent_statements is append-only'); END;

CREATE TRIGGER consent_statements_rises AFTER INSERT ON consent_statements
WHEN EXISTS (SELECT 1 FROM consent_statements WHERE sequence > NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'the table consent_statements is append-only'); END;

CREATE TRIGGER consent_requests_is_not_replaced BEFORE INSERT ON consent_requests
WHEN EXISTS (SELECT 1 FROM consent_requests WHERE tenant = NEW.tenant AND idempotency = NEW.idempotency)
BEGIN SELECT RAISE(ABORT, 'the table consent_requests is append-only'); END;

CREATE TRIGGER consent_epochs_follow BEFORE INSERT ON consent_epochs
WHEN NEW.number <> 1 + COALESCE((SELECT MAX(number) FROM consent_epochs WHERE tenant = NEW.tenant), 0)
BEGIN SELECT RAISE(ABORT, 'the table consent_epochs is append-only'); END;

CREATE TRIGGER dataset_consents_rise BEFORE INSERT ON dataset_consents
WHEN EXISTS (SELECT 1 FROM dataset_consents WHERE tenant = NEW.tenant AND dataset = NEW.dataset AND name = NEW.name
    AND version >= NEW.version)
BEGIN SELECT RAISE(ABORT, 'the table dataset_consents is append-only'); END;
