-- How a roster file is meant that nobody said anything about.
ALTER TABLE organizations ADD COLUMN import_mode text NOT NULL DEFAULT 'delta'
    CONSTRAINT organizations_import_mode_check CHECK (import_mode IN ('delta', 'snapshot'));

CREATE TABLE imports (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    key text NOT NULL,
    etag text,
    mode text NOT NULL CHECK (mode IN ('delta', 'snapshot')),
    dry_run boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('awaiting_upload', 'queued', 'running', 'held', 'done', 'failed', 'cancelled')),
    is_confirmed boolean NOT NULL DEFAULT false,
    -- Who is at it; of whoever was before nothing is taken any more.
    run uuid,
    -- The last line that was applied, the last member who was found missing, and how many rows the report has.
    applied_line bigint NOT NULL DEFAULT 0,
    missing_after uuid,
    reported bigint NOT NULL DEFAULT 0,
    rows_count bigint NOT NULL DEFAULT 0,
    created_count bigint NOT NULL DEFAULT 0,
    updated_count bigint NOT NULL DEFAULT 0,
    unchanged_count bigint NOT NULL DEFAULT 0,
    reactivated_count bigint NOT NULL DEFAULT 0,
    deactivated_count bigint NOT NULL DEFAULT 0,
    rejected_count bigint NOT NULL DEFAULT 0,
    errors_total bigint NOT NULL DEFAULT 0,
    trouble_code text,
    trouble_message text,
    warnings jsonb NOT NULL DEFAULT '[]',
    created_by uuid REFERENCES users,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT imports_finished_at_check CHECK ((state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT imports_etag_check CHECK (etag IS NOT NULL OR state IN ('awaiting_upload', 'failed', 'cancelled'))
);

-- The same content under the same name is imported once.
CREATE UNIQUE INDEX imports_file_key ON imports (organization_id, key, etag)
    WHERE NOT dry_run AND state NOT IN ('failed', 'cancelled');
CREATE UNIQUE INDEX imports_awaiting_upload_key ON imports (organization_id, key) WHERE state = 'awaiting_upload';
CREATE UNIQUE INDEX imports_running_key ON imports (organization_id) WHERE state = 'running';
CREATE INDEX imports_key_idx ON imports (organization_id, key);
CREATE INDEX imports_created_at_idx ON imports (organization_id, created_at, id);
CREATE INDEX imports_open_idx ON imports (state, created_at) WHERE state IN ('awaiting_upload', 'queued', 'running');
CREATE INDEX imports_reported_idx ON imports (finished_at) WHERE reported > 0;
CREATE INDEX imports_created_by_idx ON imports (created_by) WHERE created_by IS NOT NULL;

-- What became of each line. Who it is about is named by the membership; only of a rejected line the key is kept.
CREATE TABLE import_rows (
    import_id uuid NOT NULL REFERENCES imports,
    position bigint NOT NULL,
    line bigint,
    key text,
    action text NOT NULL CHECK (action IN ('created', 'updated', 'unchanged', 'reactivated', 'deactivated', 'rejected')),
    membership_id uuid,
    problems jsonb,
    PRIMARY KEY (import_id, position)
);
CREATE INDEX import_rows_problems_idx ON import_rows (import_id, position) WHERE problems IS NOT NULL;

-- Lines of files that are being applied. Not worth a place in the log of the database: a run stages its file anew.
CREATE UNLOGGED TABLE roster_stage (
    line bigint NOT NULL,
    import_id uuid NOT NULL,
    key text,
    problems jsonb,
    external_id text,
    email text,
    first_name text,
    last_name text,
    job_title text,
    team text,
    org_admin boolean,
    team_admin boolean,
    hired_on date,
    status text,
    PRIMARY KEY (import_id, line)
);
