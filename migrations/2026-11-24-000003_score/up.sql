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

-- A past number never changes silently.
CREATE FUNCTION refuse_change_of_snapshot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'scores that are final never change' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER score_snapshots_are_final BEFORE UPDATE OR DELETE ON score_snapshots
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_snapshot();
