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
    CASE org WHEN 0 THEN 3000 WHEN 1 THEN 30 ELSE 2 END AS teams
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

INSERT INTO memberships (id, organization_id, user_id, external_id, first_name, last_name, job_title, org_admin, status,
    first_seen_at, reporting_starts_on, created_at, updated_at)
SELECT membership_id, pg_temp.id(1, org, 0), user_id, 'E-' || n, first_name, last_name, 'Picker', n = 1, 'active',
    now(), current_date, now(), now()
FROM people;

INSERT INTO invitations (id, organization_id, membership_id, code, status, expires_at, accepted_at, accepted_by, created_at,
    updated_at)
SELECT pg_temp.id(5, org, n), pg_temp.id(1, org, 0), membership_id, 'AAAAAA', 'accepted', now(), now(), user_id, now(), now()
FROM people;

INSERT INTO teams (id, organization_id, name, created_at, updated_at)
SELECT pg_temp.id(4, org, n), pg_temp.id(1, org, 0), 'Team ' || n, now(), now()
FROM sizes, generate_series(1, teams) n;

INSERT INTO team_memberships (team_id, membership_id, organization_id, joined_at)
SELECT pg_temp.id(4, org, 1 + n % teams), membership_id, pg_temp.id(1, org, 0), now() FROM people;

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

-- Who signs in: the admins of two organizations and a member, with a password as costly as in production.
UPDATE users SET password_hash = crypt('worklete123', gen_salt('bf', 12)) WHERE username IN ('user-0-1', 'user-0-2', 'user-1-1');
INSERT INTO users (id, username, provider, first_name, last_name, password_hash, staff_role, created_at, updated_at)
SELECT pg_temp.id(9, 0, 1), 'bench-staff', 'username', 'Bench', 'Staff', password_hash, 'admin', now(), now()
FROM users WHERE username = 'user-0-1';
COMMIT;
