-- One outbox serves many chains and senders. A chain is its id and its first block: a local chain that was started anew is
-- another chain.
CREATE TABLE chains (
    id INTEGER PRIMARY KEY,
    chain_id INTEGER NOT NULL,
    genesis BLOB NOT NULL CHECK (length(genesis) = 32),
    UNIQUE (chain_id, genesis)
) STRICT;

-- One row is one nonce of one sender. Everything that was ever signed for it is in attempts.
CREATE TABLE transactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chain INTEGER NOT NULL REFERENCES chains (id),
    sender BLOB NOT NULL CHECK (length(sender) = 20),
    nonce INTEGER NOT NULL CHECK (nonce >= 0),
    purpose TEXT NOT NULL,
    receiver BLOB CHECK (length(receiver) = 20), -- null creates a contract
    data BLOB NOT NULL,
    gas_limit INTEGER NOT NULL,
    plan BLOB CHECK (length(plan) = 32), -- the deployment that this is a step of
    step INTEGER CHECK ((step IS NULL) = (plan IS NULL)),
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'failed', 'lost')),
    mined_hash BLOB CHECK (length(mined_hash) = 32),
    mined_block INTEGER CHECK ((mined_block IS NULL) = (mined_hash IS NULL)),
    mined_gas INTEGER CHECK ((mined_gas IS NULL) = (mined_hash IS NULL))
) STRICT;

CREATE UNIQUE INDEX nonce_used_once ON transactions (chain, sender, nonce) WHERE state <> 'lost';
CREATE INDEX steps_of_plan ON transactions (chain, plan, step) WHERE plan IS NOT NULL;

-- What was signed for a nonce, the first offer and its raises. Written before it is sent, never changed. One hash may stand
-- twice: a local chain that was started anew is signed the same bytes.
CREATE TABLE attempts (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    number INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    raw BLOB NOT NULL,
    max_fee INTEGER NOT NULL,
    tip INTEGER NOT NULL,
    signed_at INTEGER NOT NULL, -- seconds since 1970
    PRIMARY KEY (transaction_id, number)
) STRICT;

-- The claims of a settlement, in the order of its events. The verdict is the contract's, once the transaction is done.
CREATE TABLE claims (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    position INTEGER NOT NULL,
    payer BLOB NOT NULL CHECK (length(payer) = 12),
    commitment BLOB NOT NULL CHECK (length(commitment) = 32),
    tags BLOB NOT NULL CHECK (length(tags) % 32 = 0),
    verdict INTEGER,
    PRIMARY KEY (transaction_id, position)
) STRICT;

CREATE INDEX claims_by_commitment ON claims (commitment, payer);
