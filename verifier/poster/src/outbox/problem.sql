-- What a failed transaction did instead of what it was for, where it did not revert.
ALTER TABLE transactions ADD COLUMN problem TEXT;
