-- Jobs that a tenant had accepted on a day, counted from 1970-01-01 by UTC. Only of tenants that have a quota.
CREATE TABLE quotas (
    tenant TEXT   NOT NULL,
    day    BIGINT NOT NULL,
    jobs   BIGINT NOT NULL,
    PRIMARY KEY (tenant, day)
);
