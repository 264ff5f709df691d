-- Work that goes on after an answer. A worker has a job until locked_until; from then on another one may take it.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    organization_id uuid REFERENCES organizations,
    kind text NOT NULL,
    subject uuid NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'dead', 'cancelled')),
    attempt integer NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL,
    locked_until timestamptz,
    worker text,
    percent double precision NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
    error text,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    CHECK ((state = 'running') = (locked_until IS NOT NULL)),
    CHECK ((state IN ('done', 'dead', 'cancelled')) = (finished_at IS NOT NULL))
);

-- The same work is not queued twice while it waits or goes on.
CREATE UNIQUE INDEX jobs_subject_key ON jobs (kind, subject) WHERE state IN ('queued', 'running');
-- When a job may be claimed: at its time, or when its lease has ended.
CREATE INDEX jobs_claimable_idx ON jobs ((coalesce(locked_until, run_at))) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_created_at_idx ON jobs (created_at, id);
CREATE INDEX jobs_dead_idx ON jobs (kind) WHERE state = 'dead';
