-- Data keys: random, one tenant's each, wrapped by the master key that `meta` names as `master_key`. The newest version seals.
CREATE TABLE tenant_keys (
    tenant     TEXT    NOT NULL,
    version    INTEGER NOT NULL,                    -- from 1
    wrapped    BLOB    NOT NULL,
    wrapped_by TEXT    NOT NULL,                    -- the master key's name
    derived    INTEGER NOT NULL CHECK (derived IN (0, 1)), -- made by a release before data keys
    created    INTEGER NOT NULL,
    PRIMARY KEY (tenant, version)
) STRICT, WITHOUT ROWID;

-- Tenants whose keys were destroyed. Nothing is done for them any more.
CREATE TABLE erased_tenants (
    tenant TEXT    NOT NULL PRIMARY KEY,
    erased INTEGER NOT NULL,
    reason TEXT    NOT NULL,
    keys   INTEGER NOT NULL                         -- how many were destroyed
) STRICT, WITHOUT ROWID;

-- Files of registered datasets, in the artefact store. A dataset's newest revision is in use; one that is not named here any more is deleted.
CREATE TABLE dataset_files (
    tenant   TEXT    NOT NULL,
    dataset  BLOB    NOT NULL,
    revision INTEGER NOT NULL,                      -- from 1; rises when a dataset is imported with newer consents
    name     TEXT    NOT NULL,                      -- as in the folder, such as private/adsl.table
    artefact BLOB    NOT NULL,                      -- BLAKE3 of the stored bytes
    bytes    INTEGER NOT NULL,                      -- of the content
    sealed   INTEGER NOT NULL CHECK (sealed IN (0, 1)),
    PRIMARY KEY (tenant, dataset, revision, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX dataset_files_artefact ON dataset_files (artefact);

-- Artefacts that nothing names any more, until they are deleted from the store.
CREATE TABLE dropped_artefacts (
    artefact BLOB    NOT NULL PRIMARY KEY,
    dropped  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
