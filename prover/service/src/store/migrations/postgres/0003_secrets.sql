-- Data keys: random, one tenant's each, wrapped by the master key that `meta` names as `master_key`. The newest version seals.
CREATE TABLE tenant_keys (
    tenant     TEXT    NOT NULL,
    version    BIGINT  NOT NULL,                    -- from 1
    wrapped    BYTEA   NOT NULL,
    wrapped_by TEXT    NOT NULL,                    -- the master key's name
    derived    BIGINT  NOT NULL CHECK (derived IN (0, 1)), -- made by a release before data keys
    created    BIGINT  NOT NULL,
    PRIMARY KEY (tenant, version)
);

-- Tenants whose keys were destroyed. Nothing is done for them any more.
CREATE TABLE erased_tenants (
    tenant TEXT    NOT NULL PRIMARY KEY,
    erased BIGINT  NOT NULL,
    reason TEXT    NOT NULL,
    keys   BIGINT  NOT NULL                         -- how many were destroyed
);

-- Files of registered datasets, in the artefact store. A dataset's newest revision is in use; one that is not named here any more is deleted.
CREATE TABLE dataset_files (
    tenant   TEXT    NOT NULL,
    dataset  BYTEA   NOT NULL,
    revision BIGINT  NOT NULL,                      -- from 1; rises when a dataset is imported with newer consents
    name     TEXT    NOT NULL,                      -- as in the folder, such as private/adsl.table
    artefact BYTEA   NOT NULL,                      -- BLAKE3 of the stored bytes
    bytes    BIGINT  NOT NULL,                      -- of the content
    sealed   BIGINT  NOT NULL CHECK (sealed IN (0, 1)),
    PRIMARY KEY (tenant, dataset, revision, name)
);

CREATE INDEX dataset_files_artefact ON dataset_files (artefact);

-- Artefacts that nothing names any more, until they are deleted from the store.
CREATE TABLE dropped_artefacts (
    artefact BYTEA   NOT NULL PRIMARY KEY,
    dropped  BIGINT  NOT NULL
);
