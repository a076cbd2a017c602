-- Where in a caller's trace a job was accepted: a W3C traceparent, free of record data. Null where nobody traces.
ALTER TABLE jobs ADD COLUMN trace TEXT;
