-- SQLite numbers the rows of a table that has a key of another kind as well, and replaces the row whose number an insert gives. So a number
-- that is there is not given again. (Where no number was given, a trigger before the insert sees -1: so there is none below 1.)

CREATE TRIGGER audit_logs_row_is_not_replaced BEFORE INSERT ON audit_logs
WHEN EXISTS (SELECT 1 FROM audit_logs WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_logs_rows_are_numbered_from_one AFTER INSERT ON audit_logs
WHEN NEW.rowid < 1
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_entries_row_is_not_replaced BEFORE INSERT ON audit_entries
WHEN EXISTS (SELECT 1 FROM audit_entries WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_entries_rows_are_numbered_from_one AFTER INSERT ON audit_entries
WHEN NEW.rowid < 1
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER consent_requests_row_is_not_replaced BEFORE INSERT ON consent_requests
WHEN EXISTS (SELECT 1 FROM consent_requests WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'the table consent_requests is append-only'); END;

CREATE TRIGGER consent_requests_rows_are_numbered_from_one AFTER INSERT ON consent_requests
WHEN NEW.rowid < 1
BEGIN SELECT RAISE(ABORT, 'the table consent_requests is append-only'); END;

CREATE TRIGGER consent_epochs_row_is_not_replaced BEFORE INSERT ON consent_epochs
WHEN EXISTS (SELECT 1 FROM consent_epochs WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'the table consent_epochs is append-only'); END;

CREATE TRIGGER consent_epochs_rows_are_numbered_from_one AFTER INSERT ON consent_epochs
WHEN NEW.rowid < 1
BEGIN SELECT RAISE(ABORT, 'the table consent_epochs is append-only'); END;

CREATE TRIGGER dataset_consents_row_is_not_replaced BEFORE INSERT ON dataset_consents
WHEN EXISTS (SELECT 1 FROM dataset_consents WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'the table dataset_consents is append-only'); END;

CREATE TRIGGER dataset_consents_rows_are_numbered_from_one AFTER INSERT ON dataset_consents
WHEN NEW.rowid < 1
BEGIN SELECT RAISE(ABORT, 'the table dataset_consents is append-only'); END;
