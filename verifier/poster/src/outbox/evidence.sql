-- What used the nonce of a lost transaction, and the block that showed it; and when a transaction was first signed, by this machine's clock or
-- the newest block, whichever is later, in seconds since 1970.
ALTER TABLE transactions ADD COLUMN taken_hash BLOB CHECK (length(taken_hash) = 32);
ALTER TABLE transactions ADD COLUMN taken_block INTEGER CHECK ((taken_block IS NULL) = (taken_hash IS NULL));
ALTER TABLE transactions ADD COLUMN asked_at INTEGER;

-- What is signed counts on every chain of its id, whatever block 0 a node shows. So a chain is its id, but for local chains, which are started
-- anew under the same one. A nonce that was signed under two first blocks stays where it is.
UPDATE OR IGNORE transactions SET chain = (
    SELECT MIN(first.id) FROM chains first JOIN chains own ON own.chain_id = first.chain_id WHERE own.id = transactions.chain
) WHERE chain IN (SELECT id FROM chains WHERE chain_id NOT IN (31337, 1337));
