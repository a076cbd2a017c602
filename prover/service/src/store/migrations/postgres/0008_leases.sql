-- A lease runs out when nothing was heard of its holder for so long, whoever listens: `lease_until` is told by the holder, changes
-- with every heartbeat, and is compared with nobody's clock.

ALTER TABLE jobs ADD COLUMN lease_milliseconds BIGINT NOT NULL DEFAULT 30000;

-- Jobs that were lost twice are leased one at a time, however many machines ask in the same moment. Two may be leased when this
-- comes: they are taken back.
UPDATE jobs SET state = 'queued', lease_until = NULL WHERE state = 'leased' AND losses >= 2;
CREATE UNIQUE INDEX jobs_one_suspect ON jobs (state) WHERE state = 'leased' AND losses >= 2;
