CREATE UNLOGGED TABLE token_store (
    key           bytea PRIMARY KEY,
    entry         bytea,
    stamp         bigint,
    until         timestamptz,
    claimed_by    uuid,
    claimed_until timestamptz
);
GRANT SELECT, INSERT, UPDATE ON token_store TO my_program;
