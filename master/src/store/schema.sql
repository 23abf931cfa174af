-- One row a job, written before anything is sent.
CREATE TABLE IF NOT EXISTS jobs (
    jid       INTEGER PRIMARY KEY,
    operator  TEXT NOT NULL,
    origin    TEXT NOT NULL,
    target    TEXT NOT NULL,
    function  TEXT NOT NULL,
    args      TEXT NOT NULL,
    comment   TEXT,
    request   BLOB NOT NULL,
    expected  BLOB NOT NULL,
    expires   INTEGER NOT NULL,
    -- How the pairs ended, as JSON, once all have.
    summary   TEXT,
    -- The hash of the tree that it used.
    tree      TEXT,
    -- The orchestration that it is a part of.
    parent    INTEGER
);
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (jid) WHERE summary IS NULL;

-- One row a (job, minion) pair, when it ends.
CREATE TABLE IF NOT EXISTS ends (
    jid     INTEGER NOT NULL,
    minion  TEXT NOT NULL,
    outcome TEXT NOT NULL,
    at      INTEGER NOT NULL,
    ret     BLOB NOT NULL,
    UNIQUE (jid, minion)
);

CREATE TABLE IF NOT EXISTS keys (
    id     TEXT PRIMARY KEY,
    key    BLOB NOT NULL UNIQUE,
    state  TEXT NOT NULL,
    since  INTEGER NOT NULL,
    grains TEXT NOT NULL
);

-- Enrolment tokens, by hash: the store never holds one that could be used.
CREATE TABLE IF NOT EXISTS tokens (
    hash    BLOB PRIMARY KEY,
    id      TEXT,
    expires INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS operators (
    name  TEXT PRIMARY KEY,
    entry BLOB NOT NULL
);

CREATE TABLE IF NOT EXISTS minions (
    id        TEXT PRIMARY KEY,
    last_seen INTEGER NOT NULL,
    version   TEXT NOT NULL,
    address   TEXT NOT NULL,
    grains    BLOB NOT NULL
);

-- What minions keep for one another; data is msgpack.
CREATE TABLE IF NOT EXISTS mine (
    minion    TEXT NOT NULL,
    name      TEXT NOT NULL,
    data      BLOB NOT NULL,
    allow_tgt TEXT,
    PRIMARY KEY (minion, name)
);

-- Which commits a tree was made of, as JSON.
CREATE TABLE IF NOT EXISTS trees (
    hash      TEXT PRIMARY KEY,
    revisions TEXT NOT NULL
);

-- What operators did that is not a job, and what they were refused.
CREATE TABLE IF NOT EXISTS audit (
    at       INTEGER NOT NULL,
    operator TEXT NOT NULL,
    origin   TEXT NOT NULL,
    action   TEXT NOT NULL,
    outcome  TEXT NOT NULL
);

-- The steps of an orchestration, as JSON. What else is known of it is its row among the jobs.
CREATE TABLE IF NOT EXISTS orchestrations (
    jid   INTEGER PRIMARY KEY,
    steps TEXT NOT NULL
);

-- The jobs of a step: written before they are published, so that none is published twice.
CREATE TABLE IF NOT EXISTS children (
    orchestration INTEGER NOT NULL,
    step          TEXT NOT NULL,
    jid           INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS children_of ON children (orchestration);

-- How a step ended, as JSON.
CREATE TABLE IF NOT EXISTS steps (
    orchestration INTEGER NOT NULL,
    step          TEXT NOT NULL,
    row           TEXT NOT NULL,
    PRIMARY KEY (orchestration, step)
);

-- What minions told of their checks last, and when; rows are msgpack.
CREATE TABLE IF NOT EXISTS checks (
    minion TEXT PRIMARY KEY,
    at     INTEGER NOT NULL,
    packed BLOB NOT NULL
);

-- Always empty: what is put here and removed again shows that the store can be written.
CREATE TABLE IF NOT EXISTS probes (n INTEGER PRIMARY KEY);
