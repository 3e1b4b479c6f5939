-- The state of a card management system, version 1. Times are seconds since 1970, days are YYYY-MM-DD, states and kinds have the
-- names of `state.rs`. Keys and PUKs are in the clear: this is a management system for test cards.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who signs: the root, who issues, who signs contents, and who issues for Common Access Cards.
CREATE TABLE authority (
    id          INTEGER PRIMARY KEY,
    role        TEXT NOT NULL CHECK (role IN ('root', 'issuing', 'signer', 'cac')),
    name        TEXT NOT NULL UNIQUE,
    certificate BLOB NOT NULL,
    algorithm   INTEGER NOT NULL,
    private_key BLOB,
    revoked     INTEGER,
    crl_number  INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE holder (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL,
    identifier     INTEGER NOT NULL UNIQUE,
    uuid           BLOB NOT NULL,
    email          TEXT NOT NULL,
    principal_name TEXT NOT NULL
) STRICT;

CREATE TABLE card (
    id                   INTEGER PRIMARY KEY,
    identity             TEXT NOT NULL UNIQUE,
    state                TEXT NOT NULL,
    holder               INTEGER REFERENCES holder,
    issued               TEXT,
    expires              TEXT,
    fascn                BLOB,
    guid                 BLOB,
    management_algorithm INTEGER NOT NULL,
    management_key       BLOB NOT NULL,
    puk                  BLOB,
    -- The PUK that is being set.
    next_puk             BLOB,
    -- Why an INVALID card is suspended: 'lock' or 'replacement'.
    suspended_for        TEXT,
    -- The card in whose place this one is.
    replaces             INTEGER REFERENCES card,
    temporary            INTEGER NOT NULL DEFAULT 0,
    -- The PIV Authentication credential that is on the card, and hidden.
    hidden               INTEGER REFERENCES credential
) STRICT;
CREATE INDEX card_holder ON card (holder);

-- Private keys of key management, so that mail stays readable.
CREATE TABLE escrow (
    id          INTEGER PRIMARY KEY,
    holder      INTEGER NOT NULL REFERENCES holder,
    algorithm   INTEGER NOT NULL,
    private_key BLOB NOT NULL
) STRICT;

CREATE TABLE credential (
    id          INTEGER PRIMARY KEY,
    -- For which card it was issued.
    card        INTEGER NOT NULL REFERENCES card,
    authority   INTEGER NOT NULL REFERENCES authority,
    certificate BLOB NOT NULL,
    serial      TEXT NOT NULL,
    not_after   INTEGER NOT NULL,
    state       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    since       INTEGER NOT NULL,
    escrow      INTEGER REFERENCES escrow
) STRICT;
CREATE INDEX credential_card ON credential (card);
CREATE INDEX credential_serial ON credential (authority, serial);

-- What is on which card, by key reference. A recovered key is on a card for which it was not issued.
CREATE TABLE placement (
    card       INTEGER NOT NULL REFERENCES card,
    slot       INTEGER NOT NULL,
    credential INTEGER NOT NULL REFERENCES credential,
    PRIMARY KEY (card, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
    id       INTEGER PRIMARY KEY,
    card     INTEGER NOT NULL REFERENCES card,
    kind     TEXT NOT NULL,
    reason   TEXT NOT NULL,
    state    TEXT NOT NULL,
    details  TEXT NOT NULL,
    created  INTEGER NOT NULL,
    expires  INTEGER,
    operator TEXT NOT NULL
) STRICT;
-- Only one pending update a card.
CREATE UNIQUE INDEX one_open_request ON request (card) WHERE state IN ('PENDING', 'APPROVED');

-- An update session that is not at its end. It is here before the card's first byte changes, and goes with the last.
CREATE TABLE session (
    id       INTEGER PRIMARY KEY,
    card     INTEGER NOT NULL UNIQUE REFERENCES card,
    request  INTEGER NOT NULL REFERENCES request,
    action   TEXT NOT NULL,
    operator TEXT NOT NULL,
    started  INTEGER NOT NULL,
    -- How often it was begun; the order in which old and new PUK are tried depends on it.
    attempts INTEGER NOT NULL DEFAULT 0,
    steps    TEXT NOT NULL,
    effects  TEXT NOT NULL
) STRICT;

-- What a step made that cannot be made twice: a credential for the key that the card generated.
CREATE TABLE session_credential (
    session    INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    step       INTEGER NOT NULL,
    credential INTEGER NOT NULL REFERENCES credential,
    PRIMARY KEY (session, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id       INTEGER PRIMARY KEY,
    time     INTEGER NOT NULL,
    operator TEXT NOT NULL,
    action   TEXT NOT NULL,
    card     INTEGER,
    request  INTEGER,
    outcome  TEXT NOT NULL,
    detail   TEXT NOT NULL
) STRICT;
CREATE INDEX audit_card ON audit (card);
CREATE INDEX audit_time ON audit (time);
