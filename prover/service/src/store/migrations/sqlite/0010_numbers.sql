-- A tenant is shown numbers of its own lines: those of the table are one count for all tenants, and would tell each how much others state.

DROP TRIGGER consent_statements_is_not_changed;

ALTER TABLE consent_statements ADD COLUMN number INTEGER NOT NULL DEFAULT 0;   -- within its tenant, from 1 without a gap

UPDATE consent_statements SET number = counted.number
FROM (SELECT sequence, ROW_NUMBER() OVER (PARTITION BY tenant ORDER BY sequence) AS number FROM consent_statements) AS counted
WHERE counted.sequence = consent_statements.sequence;

CREATE UNIQUE INDEX consent_statements_number ON consent_statements (tenant, number);

CREATE TRIGGER consent_statements_is_not_changed BEFORE UPDATE ON consent_statements
BEGIN SELECT RAISE(ABORT, 'the table consent_statements is append-only'); END;

CREATE TRIGGER consent_statements_follow BEFORE INSERT ON consent_statements
WHEN NEW.number <> 1 + COALESCE((SELECT MAX(number) FROM consent_statements WHERE tenant = NEW.tenant), 0)
BEGIN SELECT RAISE(ABORT, 'the table consent_statements is append-only'); END;
