-- One organization of 100,000 people with 3,000 teams, and 200 smaller ones: one of 1,000 people, the others of 50. Each has
-- 25 people called Quillon. Repeatable: the same ids and names at each run. For psql, into a migrated, empty database.

\set ON_ERROR_STOP on
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgcrypto;

-- Ids that are easy to name: kind, organization, number.
CREATE FUNCTION pg_temp.id(kind int, org int, n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT format('%s-%s-4000-8000-%s', lpad(kind::text, 8, '0'), lpad(org::text, 4, '0'), lpad(n::text, 12, '0'))::uuid
$$;

CREATE TEMP TABLE sizes AS
SELECT org, CASE org WHEN 0 THEN 100000 WHEN 1 THEN 1000 ELSE 50 END AS people,
    CASE org WHEN 0 THEN 3000 WHEN 1 THEN 10 ELSE 2 END AS teams
FROM generate_series(0, 200) org;

CREATE TEMP TABLE people AS
SELECT org, n, teams, pg_temp.id(2, org, n) AS user_id, pg_temp.id(3, org, n) AS membership_id,
    (ARRAY['Ana','Björn','Chidi','Dana','Émile','Fatima','Grace','Hiro','Ivana','João','Kwame','Lena','Mateo','Nadia',
           'Olu','Priya','Quinn','Rosa','Søren','Tariq','Uma','Viktor','Wen','Ximena','Yusuf','Zoë'])[1 + n % 26] AS first_name,
    CASE WHEN n % (people / 25) = 0 THEN 'Quillon'
         ELSE (ARRAY['Bak','Dor','Fen','Gar','Hol','Jen','Kra','Lim','Mor','Nor','Pet','Ros','San','Tor','Vel'])[1 + n / 26 % 15]
           || (ARRAY['berg','dahl','ev','feld','gaard','holm','inen','jev','kova','lund','man','nescu','oglu','quist','sen',
                     'ski','strom','ton','vari','wick'])[1 + n / 390 % 20] END AS last_name
FROM sizes, generate_series(1, people) n;

INSERT INTO organizations (id, name, s3_integrations_folder, created_at, updated_at)
SELECT pg_temp.id(1, org, 0), 'Organization ' || org, 'organization-' || org, now(), now() FROM sizes;

INSERT INTO users (id, username, provider, first_name, last_name, password_hash, created_at, updated_at)
SELECT user_id, format('user-%s-%s', org, n), 'username', first_name, last_name, NULL, now(), now() FROM people;

INSERT INTO memberships (id, organization_id, user_id, external_id, first_name, last_name, job_title, job_title_key, org_admin,
    status, first_seen_at, reporting_starts_on, created_at, updated_at)
SELECT membership_id, pg_temp.id(1, org, 0), user_id, 'E-' || n, first_name, last_name, 'Picker ' || n % 60, 'picker ' || n % 60,
    n = 1, 'active', now() - interval '1 year', current_date - 365,
    now() - interval '1 year', now()
FROM people;

INSERT INTO invitations (id, organization_id, membership_id, code, status, expires_at, accepted_at, accepted_by, created_at,
    updated_at)
SELECT pg_temp.id(5, org, n), pg_temp.id(1, org, 0), membership_id, 'AAAAAA', 'accepted', now(), now(), user_id, now(), now()
FROM people;

INSERT INTO teams (id, organization_id, name, created_at, updated_at)
SELECT pg_temp.id(4, org, n), pg_temp.id(1, org, 0), 'Team ' || n, now() - interval '1 year', now()
FROM sizes, generate_series(1, teams) n;

INSERT INTO team_memberships (team_id, membership_id, organization_id, joined_at)
SELECT pg_temp.id(4, org, 1 + n % teams), membership_id, pg_temp.id(1, org, 0), now() - interval '1 year' FROM people;

INSERT INTO team_admins (team_id, membership_id, organization_id, created_at)
SELECT pg_temp.id(4, org, 1 + n % teams), membership_id, pg_temp.id(1, org, 0), now() FROM people WHERE n <= teams;

INSERT INTO sessions (id, user_id, client_id, token_hash, created_at, last_used_at, expires_at, absolute_expires_at)
SELECT pg_temp.id(6, org, n), user_id, format('client-%s-%s', org, n), sha256(format('%s-%s', org, n)::bytea), now(), now(),
    now() + interval '14 days', now() + interval '90 days'
FROM people WHERE n % 5 = 0;

INSERT INTO champion_certifications (id, user_id, date, expires_on, created_by, created_at)
SELECT pg_temp.id(7, org, n), user_id, current_date - 30, current_date + 335, user_id, now() FROM people WHERE n % 15 = 0;

INSERT INTO refinements (id, organization_id, team_id, data, occurred_on, created_by, created_at, updated_at)
SELECT pg_temp.id(8, org, n), pg_temp.id(1, org, 0), pg_temp.id(4, org, 1 + n % teams), '{"notes": "Feet wider apart"}',
    current_date - n % 50, user_id, now() - n * interval '1 minute', now()
FROM people;

-- Twelve categories with four job titles each, so that the titles from the 49th on are of the default one, the first; 10 of 40
-- courses each; one team in ten has a list of its own.
INSERT INTO courses (id, name, created_at, updated_at)
SELECT pg_temp.id(10, 0, n), 'Course ' || n, now(), now() FROM generate_series(1, 40) n;

INSERT INTO training_categories (id, organization_id, name, is_default, created_at, updated_at)
SELECT pg_temp.id(11, org, n), pg_temp.id(1, org, 0), 'Category ' || n, n = 1, now(), now() FROM sizes, generate_series(1, 12) n;

INSERT INTO category_job_titles (organization_id, job_title_key, category_id, job_title, position)
SELECT pg_temp.id(1, org, 0), 'picker ' || n, pg_temp.id(11, org, 1 + n / 4), 'Picker ' || n, 1 + n % 4
FROM sizes, generate_series(0, 47) n;

INSERT INTO category_courses (category_id, course_id, position)
SELECT pg_temp.id(11, org, category), pg_temp.id(10, 0, 1 + (category * 3 + n) % 40), n
FROM sizes, generate_series(1, 12) category, generate_series(1, 10) n;

INSERT INTO course_pool_overrides (team_id, training_category_id, organization_id, course_ids, updated_at)
SELECT pg_temp.id(4, org, n), pg_temp.id(11, org, 1 + n % 12), pg_temp.id(1, org, 0),
    ARRAY(SELECT pg_temp.id(10, 0, course) FROM generate_series(1, 10) course), now()
FROM sizes, generate_series(1, teams) n WHERE n % 10 = 0;

-- A lesson in each of the last six weeks: four of five are done in time, the others half or not at all.
INSERT INTO course_versions (id, course_id, number, status, data, created_by, created_at, updated_at, published_at)
SELECT pg_temp.id(12, 0, n), pg_temp.id(10, 0, n), 1, 'published', '{}', pg_temp.id(2, 0, 1), now(), now(), now()
FROM generate_series(1, 6) n;
INSERT INTO assignments (id, organization_id, membership_id, user_id, course_id, course_version_id, state, source, percent,
    assigned_at, due_at, started_at, completed_at, last_event_at, updated_at)
SELECT pg_temp.id(20 + week, org, n), pg_temp.id(1, org, 0), membership_id, user_id, pg_temp.id(10, 0, week),
    pg_temp.id(12, 0, week), CASE WHEN done THEN 'completed' ELSE 'in_progress' END, 'manual', CASE WHEN done THEN 100 ELSE 50 END,
    due_at - interval '7 days', due_at, worked_at, CASE WHEN done THEN worked_at END, worked_at, worked_at
FROM people, generate_series(1, 6) week,
    LATERAL (SELECT date_trunc('week', now(), 'UTC') - (week - 1) * interval '1 week' AS due_at, (n + week) % 5 > 0 AS done) plan,
    LATERAL (SELECT due_at - (n % 10000) * interval '1 minute' AS worked_at) work;
INSERT INTO progress_events (dedupe_key, client_at, organization_id, assignment_id, event_type, player_session_id, client_ms,
    effective_at, credited_at, received_at, percent, progress, stale)
SELECT sha256(a.id::text::bytea), started_at, organization_id, id, CASE WHEN state = 'completed' THEN 'complete' ELSE
    'update_progress' END, id, 0, started_at, started_at, started_at, percent, '{}', false FROM assignments a WHERE percent > 50
    OR id::text LIKE '%1';

-- Each membership was changed twice by somebody of its organization.
INSERT INTO audit_log (id, at, actor_id, organization_id, action, subject_kind, subject_id, request_id)
SELECT pg_temp.id(30 + time, org, n), now() - (n * 2 + time) * interval '1 minute', pg_temp.id(2, org, 1 + n % 20),
    pg_temp.id(1, org, 0), 'membership.update', 'membership', membership_id, 'bench'
FROM people, generate_series(0, 1) time;

-- Who signs in: the admins of two organizations and a member, with a password as costly as in production.
UPDATE users SET password_hash = crypt('worklete123', gen_salt('bf', 12)) WHERE username IN ('user-0-1', 'user-0-2', 'user-1-1');
INSERT INTO users (id, username, provider, first_name, last_name, password_hash, staff_role, created_at, updated_at)
SELECT pg_temp.id(9, 0, 1), 'bench-staff', 'username', 'Bench', 'Staff', password_hash, 'admin', now(), now()
FROM users WHERE username = 'user-0-1';
COMMIT;
