-- --- What the score reads --------------------------------------------------------------------------

-- When the work of an assignment was done, as the score counts it.
ALTER TABLE assignments ADD COLUMN credited_at timestamptz;

-- How far an assignment had come in each quarter of an hour in which something was reported. All clocks of the world are a
-- multiple of a quarter of an hour apart, so no period of any organization begins within one; and there are far fewer of
-- these rows than events, all of a member's in one place.
CREATE TABLE progress_marks (
    membership_id uuid NOT NULL REFERENCES memberships,
    credited_from timestamptz NOT NULL,
    assignment_id uuid NOT NULL REFERENCES assignments,
    percent double precision NOT NULL,
    PRIMARY KEY (membership_id, credited_from, assignment_id)
);

CREATE INDEX progress_marks_assignment_id_idx ON progress_marks (assignment_id, credited_from);

-- Kept where events are written, so that no way to write one can forget it.
CREATE FUNCTION mark_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.progress_marks (membership_id, credited_from, assignment_id, percent)
        SELECT a.membership_id, date_bin('15 minutes', r.credited_at, 'epoch'), r.assignment_id,
            max(CASE WHEN r.event_type = 'complete' THEN 100 ELSE coalesce(r.percent, 0) END)
        FROM reported r JOIN public.assignments a ON a.id = r.assignment_id
        GROUP BY 1, 2, 3
        -- Always in this order, so that two batches never wait for each other.
        ORDER BY 1, 2, 3
        ON CONFLICT (membership_id, credited_from, assignment_id)
            DO UPDATE SET percent = greatest(progress_marks.percent, excluded.percent);
    UPDATE public.assignments a SET credited_at = done.at
        FROM (SELECT assignment_id, min(credited_at) AS at FROM reported WHERE event_type = 'complete' GROUP BY 1) done
        WHERE a.id = done.assignment_id AND (a.credited_at IS NULL OR a.credited_at > done.at);
    RETURN NULL;
END
$$;
CREATE TRIGGER progress_events_mark_progress AFTER INSERT ON progress_events
    REFERENCING NEW TABLE AS reported FOR EACH STATEMENT EXECUTE FUNCTION mark_progress();

INSERT INTO progress_marks (membership_id, credited_from, assignment_id, percent)
    SELECT a.membership_id, date_bin('15 minutes', e.credited_at, 'epoch'), e.assignment_id,
        max(CASE WHEN e.event_type = 'complete' THEN 100 ELSE coalesce(e.percent, 0) END)
    FROM progress_events e JOIN assignments a ON a.id = e.assignment_id GROUP BY 1, 2, 3;
UPDATE assignments a SET credited_at = done.at
    FROM (SELECT assignment_id, min(credited_at) AS at FROM progress_events WHERE event_type = 'complete' GROUP BY 1) done
    WHERE a.id = done.assignment_id;

-- --- Periods ---------------------------------------------------------------------------------------

-- The first instant of a day. A midnight that clocks pass twice is meant the first time; one that they skip is the instant at
-- which they skip it.
CREATE FUNCTION first_instant(time_zone text, day date) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN (named.instant - interval '1 hour') AT TIME ZONE time_zone = day::timestamp THEN named.instant - interval '1 hour'
        ELSE named.instant
    END FROM (SELECT day::timestamp AT TIME ZONE time_zone AS instant) named
$$;

-- The periods that are over at `at` in an organization's own calendar, the latest as number 1: weeks, or months where lessons
-- are monthly.
CREATE FUNCTION score_periods(time_zone text, cadence text, at timestamptz, how_many integer)
RETURNS TABLE (n integer, key text, first_day date, last_day date, starts_at timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE AS $$
    WITH kind AS (
        SELECT CASE WHEN cadence = 'monthly' THEN 'month' ELSE 'week' END AS unit,
            CASE WHEN cadence = 'monthly' THEN 'YYYY-MM' ELSE 'IYYY-"W"IW' END AS format
    ), days AS (
        -- From the one that holds tomorrow: where midnight comes twice, the local date alone does not tell what is over.
        SELECT first.day::date AS first_day, (first.day + ('1 ' || unit)::interval)::date AS next_day, to_char(first.day, format) AS key
        FROM kind, generate_series(0, how_many + 1) AS back(k),
            LATERAL (SELECT date_trunc(unit, at AT TIME ZONE time_zone + interval '1 day') - (k || ' ' || unit)::interval AS day) first
    ), bounds AS (
        SELECT days.key, days.first_day, days.next_day - 1 AS last_day,
            public.first_instant(time_zone, days.first_day) AS starts_at, public.first_instant(time_zone, days.next_day) AS ends_at
        FROM days
    )
    SELECT (row_number() OVER (ORDER BY b.first_day DESC))::integer, b.key, b.first_day, b.last_day, b.starts_at, b.ends_at
    FROM bounds b WHERE b.ends_at <= at ORDER BY b.first_day DESC LIMIT how_many
$$;

-- --- Snapshots -------------------------------------------------------------------------------------

-- What was counted is kept, so that reading costs nothing: until something of the past changes, and for good once no late report
-- can change it.
ALTER TABLE score_snapshots ADD COLUMN final_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE score_snapshots ALTER COLUMN final_at DROP DEFAULT;

-- A past number never changes silently.
CREATE FUNCTION refuse_change_of_snapshot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'scores that are final never change' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER score_snapshots_are_final BEFORE UPDATE OR DELETE ON score_snapshots
    FOR EACH ROW WHEN (OLD.final_at <= now()) EXECUTE FUNCTION refuse_change_of_snapshot();

-- Whoever changes what a score is made of forgets what was counted of it. The lock is the other half of the one that is held
-- while an organization is counted: what is not yet committed then would be missed, and kept so.
CREATE FUNCTION forget_scores(organization uuid, teams uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('scores'), hashtext(organization::text));
    DELETE FROM public.score_snapshots WHERE team_id = ANY (teams) AND final_at > now();
END
$$;

CREATE FUNCTION forget_scores_of(members uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.forget_scores(organization_id, teams) FROM (
        SELECT organization_id, array_agg(DISTINCT team_id) AS teams FROM public.team_stints
        WHERE membership_id = ANY (members) GROUP BY organization_id ORDER BY organization_id) s;
END
$$;

-- Only what is over is kept, and only a quarter of an hour after its end: what happens now, give or take a few minutes, cannot
-- have been counted.
CREATE FUNCTION is_past(instant timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT instant < now() - interval '5 minutes' $$;

CREATE FUNCTION forget_scores_of_team() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.forget_scores(NEW.organization_id, ARRAY[NEW.team_id]);
    RETURN NULL;
END
$$;
CREATE TRIGGER refinements_forget_scores AFTER INSERT OR UPDATE ON refinements
    FOR EACH ROW EXECUTE FUNCTION forget_scores_of_team();
CREATE TRIGGER team_stints_ended_forget_scores AFTER UPDATE ON team_stints
    FOR EACH ROW WHEN (OLD.left_at IS DISTINCT FROM NEW.left_at AND is_past(least(OLD.left_at, NEW.left_at)))
    EXECUTE FUNCTION forget_scores_of_team();

CREATE FUNCTION forget_scores_of_joined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.forget_scores(organization_id, teams) FROM (
        SELECT organization_id, array_agg(DISTINCT team_id) AS teams FROM joined WHERE public.is_past(joined_at)
        GROUP BY organization_id ORDER BY organization_id) s;
    RETURN NULL;
END
$$;
CREATE TRIGGER team_stints_begun_forget_scores AFTER INSERT ON team_stints
    REFERENCING NEW TABLE AS joined FOR EACH STATEMENT EXECUTE FUNCTION forget_scores_of_joined();

CREATE FUNCTION forget_scores_of_champion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.forget_scores_of(ARRAY(SELECT id FROM public.memberships WHERE user_id = NEW.user_id));
    RETURN NULL;
END
$$;
CREATE TRIGGER champion_certifications_forget_scores AFTER INSERT OR UPDATE ON champion_certifications
    FOR EACH ROW EXECUTE FUNCTION forget_scores_of_champion();

CREATE FUNCTION forget_scores_of_membership() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.forget_scores_of(ARRAY[NEW.id]);
    RETURN NULL;
END
$$;
CREATE TRIGGER memberships_forget_scores AFTER UPDATE ON memberships
    FOR EACH ROW WHEN ((OLD.reporting_starts_on, OLD.user_id) IS DISTINCT FROM (NEW.reporting_starts_on, NEW.user_id))
    EXECUTE FUNCTION forget_scores_of_membership();

CREATE FUNCTION forget_scores_of_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.forget_scores_of(ARRAY[NEW.membership_id]);
    RETURN NULL;
END
$$;
CREATE TRIGGER assignments_changed_forget_scores AFTER UPDATE ON assignments
    FOR EACH ROW WHEN (((OLD.state = 'withdrawn') <> (NEW.state = 'withdrawn') OR OLD.due_at IS DISTINCT FROM NEW.due_at)
        AND is_past(least(OLD.due_at, NEW.due_at)))
    EXECUTE FUNCTION forget_scores_of_assignment();

CREATE FUNCTION forget_scores_of_assigned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.forget_scores_of(members) FROM (
        SELECT array_agg(DISTINCT membership_id) AS members FROM assigned WHERE public.is_past(due_at)) s
        WHERE members IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER assignments_made_forget_scores AFTER INSERT ON assignments
    REFERENCING NEW TABLE AS assigned FOR EACH STATEMENT EXECUTE FUNCTION forget_scores_of_assigned();

CREATE FUNCTION forget_scores_of_reported() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.forget_scores_of(members) FROM (
        SELECT array_agg(DISTINCT a.membership_id) AS members FROM reported r
            JOIN public.assignments a ON a.id = r.assignment_id WHERE public.is_past(r.credited_at)) s
        WHERE members IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER progress_events_forget_scores AFTER INSERT ON progress_events
    REFERENCING NEW TABLE AS reported FOR EACH STATEMENT EXECUTE FUNCTION forget_scores_of_reported();

CREATE FUNCTION forget_scores_of_organization() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.forget_scores(NEW.id, ARRAY(SELECT id FROM public.teams WHERE organization_id = NEW.id));
    RETURN NULL;
END
$$;
CREATE TRIGGER organizations_forget_scores AFTER UPDATE ON organizations
    FOR EACH ROW WHEN ((OLD.time_zone, OLD.cadence, OLD.late_window_days)
        IS DISTINCT FROM (NEW.time_zone, NEW.cadence, NEW.late_window_days))
    EXECUTE FUNCTION forget_scores_of_organization();
