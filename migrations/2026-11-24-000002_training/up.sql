ALTER TABLE organizations
    ADD COLUMN late_window_days integer NOT NULL DEFAULT 14 CHECK (late_window_days BETWEEN 0 AND 365),
    ADD COLUMN recycle_after_days integer NOT NULL DEFAULT 180 CHECK (recycle_after_days BETWEEN 1 AND 3650);

-- What a job title is looked up by in the training categories; the domain folds it.
ALTER TABLE memberships ADD COLUMN job_title_key text;
UPDATE memberships SET job_title_key = lower(public.unaccent(job_title)) WHERE job_title IS NOT NULL;
CREATE INDEX memberships_job_title_key_idx ON memberships (organization_id, job_title_key)
    WHERE status <> 'deactivated' AND job_title_key IS NOT NULL;

-- --- Courses and versions -----------------------------------------------------------------------

CREATE TABLE course_versions (
    id uuid PRIMARY KEY,
    course_id uuid NOT NULL REFERENCES courses,
    number integer NOT NULL CHECK (number > 0),
    status text NOT NULL CHECK (status IN ('draft', 'published', 'archived')),
    data jsonb NOT NULL CHECK (jsonb_typeof(data) = 'object'),
    created_by uuid NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    published_at timestamptz,
    archived_at timestamptz,
    lock_version integer NOT NULL DEFAULT 0,
    CONSTRAINT course_versions_course_id_number_key UNIQUE (course_id, number),
    -- What assignments refer to, so that a version always belongs to its course.
    CONSTRAINT course_versions_course_id_id_key UNIQUE (course_id, id),
    CHECK (status <> 'published' OR published_at IS NOT NULL),
    CHECK ((status = 'archived') = (archived_at IS NOT NULL))
);

CREATE UNIQUE INDEX course_versions_one_draft_key ON course_versions (course_id) WHERE status = 'draft';
CREATE UNIQUE INDEX course_versions_one_published_key ON course_versions (course_id) WHERE status = 'published';
CREATE INDEX course_versions_course_id_created_at_idx ON course_versions (course_id, created_at, id);

-- People have learned from it: what was published stays as it was.
CREATE FUNCTION refuse_change_of_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a published version never changes' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER course_versions_published_data_is_immutable BEFORE UPDATE ON course_versions
    FOR EACH ROW WHEN (OLD.published_at IS NOT NULL AND (OLD.data, OLD.course_id, OLD.number, OLD.published_at)
        IS DISTINCT FROM (NEW.data, NEW.course_id, NEW.number, NEW.published_at))
    EXECUTE FUNCTION refuse_change_of_published();
CREATE TRIGGER course_versions_published_are_kept BEFORE DELETE ON course_versions
    FOR EACH ROW WHEN (OLD.published_at IS NOT NULL) EXECUTE FUNCTION refuse_change_of_published();

-- --- Categories and pools -----------------------------------------------------------------------

CREATE TABLE training_categories (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL CONSTRAINT training_categories_organization_id_fkey REFERENCES organizations,
    name text NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT training_categories_organization_id_id_key UNIQUE (organization_id, id)
);

CREATE UNIQUE INDEX training_categories_name_key ON training_categories (organization_id, lower(name));
CREATE UNIQUE INDEX training_categories_one_default_key ON training_categories (organization_id) WHERE is_default;

CREATE TABLE category_job_titles (
    organization_id uuid NOT NULL,
    job_title_key text NOT NULL,
    category_id uuid NOT NULL,
    job_title text NOT NULL,
    position integer NOT NULL,
    -- A job title is in one category at most.
    PRIMARY KEY (organization_id, job_title_key),
    FOREIGN KEY (organization_id, category_id) REFERENCES training_categories (organization_id, id)
);

CREATE INDEX category_job_titles_category_id_idx ON category_job_titles (category_id, position);

CREATE TABLE category_courses (
    category_id uuid NOT NULL REFERENCES training_categories,
    course_id uuid NOT NULL CONSTRAINT category_courses_course_id_fkey REFERENCES courses,
    position integer NOT NULL,
    PRIMARY KEY (category_id, course_id)
);

CREATE INDEX category_courses_course_id_idx ON category_courses (course_id);

CREATE TABLE course_pool_overrides (
    team_id uuid NOT NULL,
    training_category_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    course_ids uuid[] NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, training_category_id),
    FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id),
    FOREIGN KEY (organization_id, training_category_id) REFERENCES training_categories (organization_id, id)
);

-- --- Assignments and progress -------------------------------------------------------------------

CREATE TABLE assignments (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES users,
    course_id uuid NOT NULL,
    course_version_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('assigned', 'in_progress', 'completed', 'withdrawn')),
    source text NOT NULL CHECK (source IN ('basics', 'course_pool', 'manual')),
    percent double precision NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
    progress jsonb NOT NULL DEFAULT '{}',
    -- Which event the free part of the progress comes from: the latest one, whatever came last.
    progress_effective_at timestamptz,
    progress_client_ms bigint,
    progress_hash bytea CHECK (length(progress_hash) = 32),
    assigned_at timestamptz NOT NULL,
    due_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    last_event_at timestamptz,
    withdrawn_at timestamptz,
    updated_at timestamptz NOT NULL,
    FOREIGN KEY (organization_id, membership_id) REFERENCES memberships (organization_id, id),
    FOREIGN KEY (course_id, course_version_id) REFERENCES course_versions (course_id, id),
    CHECK ((state = 'completed') = (completed_at IS NOT NULL)),
    CHECK (state <> 'withdrawn' OR withdrawn_at IS NOT NULL),
    CHECK ((progress_effective_at IS NULL) = (progress_client_ms IS NULL)
        AND (progress_effective_at IS NULL) = (progress_hash IS NULL))
);

CREATE UNIQUE INDEX assignments_one_open_key ON assignments (membership_id)
    WHERE state IN ('assigned', 'in_progress') AND source <> 'manual';
CREATE INDEX assignments_membership_id_idx ON assignments (membership_id, assigned_at);
CREATE INDEX assignments_user_id_idx ON assignments (user_id, course_id);
CREATE INDEX assignments_unstarted_idx ON assignments (course_id) WHERE state = 'assigned';

CREATE SEQUENCE progress_events_number_seq;

-- By the month of the phone's own clock, which is part of what makes an event the same event: so a key is unique over all
-- partitions. Clocks that are far off go to the partition of the rest.
CREATE TABLE progress_events (
    number bigint NOT NULL DEFAULT nextval('progress_events_number_seq'),
    dedupe_key bytea NOT NULL CHECK (length(dedupe_key) = 32),
    client_at timestamptz NOT NULL,
    organization_id uuid NOT NULL,
    assignment_id uuid NOT NULL REFERENCES assignments,
    event_type text NOT NULL CHECK (event_type IN ('complete', 'update_progress')),
    player_session_id uuid NOT NULL,
    client_ms bigint NOT NULL,
    effective_at timestamptz NOT NULL,
    -- The time that the score counts it at: the effective one, or that of receipt when it came too late.
    credited_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    percent double precision,
    progress jsonb NOT NULL,
    stale boolean NOT NULL,
    PRIMARY KEY (dedupe_key, client_at)
) PARTITION BY RANGE (client_at);

CREATE TABLE progress_events_rest PARTITION OF progress_events DEFAULT;
CREATE INDEX progress_events_assignment_id_idx ON progress_events (assignment_id, effective_at);
CREATE INDEX progress_events_number_idx ON progress_events (number);

CREATE FUNCTION refuse_change_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'progress events are append-only' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER progress_events_are_append_only BEFORE UPDATE ON progress_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_event();

-- --- Champions, refinements, score --------------------------------------------------------------

CREATE TABLE champion_certifications (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL CONSTRAINT champion_certifications_user_id_fkey REFERENCES users,
    date date NOT NULL,
    expires_on date NOT NULL,
    created_by uuid NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT champion_certifications_user_id_date_key UNIQUE (user_id, date),
    CHECK (expires_on >= date)
);

CREATE INDEX champion_certifications_created_at_idx ON champion_certifications (created_at, id);

CREATE TABLE refinements (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    team_id uuid NOT NULL,
    data jsonb NOT NULL CHECK (jsonb_typeof(data) = 'object'),
    occurred_on date NOT NULL,
    created_by uuid NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id)
);

CREATE INDEX refinements_team_id_created_at_idx ON refinements (team_id, created_at DESC, id DESC);
CREATE INDEX refinements_team_id_occurred_on_idx ON refinements (team_id, occurred_on);

-- When somebody was on a team: the score of a week counts those who were on it in that week. Kept by triggers, so that no way
-- to join or leave a team can forget it.
CREATE TABLE team_stints (
    team_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    joined_at timestamptz NOT NULL,
    left_at timestamptz,
    PRIMARY KEY (team_id, membership_id, joined_at),
    FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id),
    FOREIGN KEY (organization_id, membership_id) REFERENCES memberships (organization_id, id),
    CHECK (left_at >= joined_at)
);

CREATE INDEX team_stints_membership_id_idx ON team_stints (membership_id);
INSERT INTO team_stints (team_id, membership_id, organization_id, joined_at)
    SELECT team_id, membership_id, organization_id, joined_at FROM team_memberships;

CREATE FUNCTION begin_team_stint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.team_stints (team_id, membership_id, organization_id, joined_at)
        SELECT team_id, membership_id, organization_id, joined_at FROM joined
        ON CONFLICT (team_id, membership_id, joined_at) DO UPDATE SET left_at = NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER team_memberships_begin_stint AFTER INSERT ON team_memberships
    REFERENCING NEW TABLE AS joined FOR EACH STATEMENT EXECUTE FUNCTION begin_team_stint();

CREATE FUNCTION end_team_stint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.team_stints s SET left_at = greatest(s.joined_at, now()) FROM gone
        WHERE s.team_id = gone.team_id AND s.membership_id = gone.membership_id AND s.left_at IS NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER team_memberships_end_stint AFTER DELETE ON team_memberships
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION end_team_stint();

CREATE TABLE score_snapshots (
    team_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    week text NOT NULL,
    formula_version integer NOT NULL,
    score integer CHECK (score BETWEEN 0 AND 100),
    components jsonb NOT NULL,
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, week, formula_version),
    FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id)
);
