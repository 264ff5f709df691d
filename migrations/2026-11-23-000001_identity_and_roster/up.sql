-- Names and addresses are compared without case.
CREATE EXTENSION IF NOT EXISTS citext;

CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    s3_integrations_folder text NOT NULL CONSTRAINT organizations_s3_integrations_folder_key UNIQUE,
    saml_info text,
    sso_enforced boolean NOT NULL DEFAULT false,
    time_zone text NOT NULL DEFAULT 'UTC',
    cadence text NOT NULL DEFAULT 'weekly' CHECK (cadence IN ('weekly', 'monthly', 'self_paced')),
    reporting_grace_days integer NOT NULL DEFAULT 0 CHECK (reporting_grace_days BETWEEN 0 AND 3650),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    username citext NOT NULL CONSTRAINT users_username_key UNIQUE,
    provider text NOT NULL CHECK (provider IN ('email', 'username')),
    email citext CONSTRAINT users_email_key UNIQUE,
    first_name text NOT NULL,
    last_name text NOT NULL,
    password_hash text,
    must_change_password boolean NOT NULL DEFAULT false,
    staff_role text CHECK (staff_role IN ('employee', 'admin')),
    language text NOT NULL DEFAULT 'en',
    former_uid text,
    uid_changed_at timestamptz,
    last_sign_in_at timestamptz,
    locked_at timestamptz,
    deleted_at timestamptz,
    erased_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE INDEX users_to_erase_idx ON users (deleted_at) WHERE deleted_at IS NOT NULL AND erased_at IS NULL;
CREATE INDEX users_staff_idx ON users (staff_role) WHERE staff_role IS NOT NULL;

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    client_id text NOT NULL CONSTRAINT sessions_client_id_key UNIQUE,
    token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
    next_hash bytea CHECK (length(next_hash) = 32),
    prev_hash bytea CHECK (length(prev_hash) = 32),
    prev_valid_until timestamptz,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    absolute_expires_at timestamptz NOT NULL,
    user_agent text,
    ip text,
    CHECK ((prev_hash IS NULL) = (prev_valid_until IS NULL))
);

CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

CREATE TABLE password_resets (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    token_hash bytea NOT NULL CONSTRAINT password_resets_token_hash_key UNIQUE CHECK (length(token_hash) = 32),
    redirect_url text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

CREATE INDEX password_resets_user_id_idx ON password_resets (user_id);
CREATE INDEX password_resets_expires_at_idx ON password_resets (expires_at);

CREATE TABLE memberships (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    user_id uuid REFERENCES users,
    external_id text,
    first_name text NOT NULL,
    last_name text NOT NULL,
    email citext,
    job_title text,
    org_admin boolean NOT NULL DEFAULT false,
    status text NOT NULL CHECK (status IN ('pending', 'active', 'deactivated')),
    hired_on date,
    first_seen_at timestamptz NOT NULL,
    reporting_starts_on date NOT NULL,
    deactivated_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- What the rows below refer to, so that a child can never belong to another organization than its parent.
    CONSTRAINT memberships_organization_id_id_key UNIQUE (organization_id, id),
    CONSTRAINT memberships_organization_id_external_id_key UNIQUE (organization_id, external_id),
    CONSTRAINT memberships_organization_id_user_id_key UNIQUE (organization_id, user_id),
    CONSTRAINT memberships_status_and_user_check CHECK (
        CASE status WHEN 'pending' THEN user_id IS NULL WHEN 'active' THEN user_id IS NOT NULL ELSE true END
    ),
    CONSTRAINT memberships_deactivated_at_check CHECK ((status = 'deactivated') = (deactivated_at IS NOT NULL))
);

CREATE INDEX memberships_user_id_idx ON memberships (user_id);
CREATE INDEX memberships_org_admins_idx ON memberships (organization_id) WHERE org_admin AND status = 'active';

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    code char(6) NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'accepted', 'expired', 'revoked')),
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    accepted_by uuid REFERENCES users,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    FOREIGN KEY (organization_id, membership_id) REFERENCES memberships (organization_id, id)
);

CREATE UNIQUE INDEX invitations_pending_code_key ON invitations (code) WHERE status = 'pending';
CREATE UNIQUE INDEX invitations_pending_membership_id_key ON invitations (membership_id) WHERE status = 'pending';
CREATE INDEX invitations_membership_id_idx ON invitations (membership_id, created_at);
CREATE INDEX invitations_pending_expires_at_idx ON invitations (expires_at) WHERE status = 'pending';

CREATE TABLE teams (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    name text NOT NULL,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT teams_organization_id_id_key UNIQUE (organization_id, id)
);

CREATE UNIQUE INDEX teams_live_name_key ON teams (organization_id, lower(name)) WHERE deleted_at IS NULL;

CREATE TABLE team_memberships (
    team_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, membership_id),
    FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id),
    FOREIGN KEY (organization_id, membership_id) REFERENCES memberships (organization_id, id)
);

CREATE INDEX team_memberships_membership_id_idx ON team_memberships (membership_id);

CREATE TABLE team_admins (
    team_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, membership_id),
    FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id),
    FOREIGN KEY (organization_id, membership_id) REFERENCES memberships (organization_id, id)
);

CREATE INDEX team_admins_membership_id_idx ON team_admins (membership_id);

CREATE TABLE courses (
    id uuid PRIMARY KEY,
    organization_id uuid CONSTRAINT courses_organization_id_fkey REFERENCES organizations,
    name text NOT NULL,
    description text,
    basics boolean NOT NULL DEFAULT false,
    position integer NOT NULL DEFAULT 0,
    language_codes text[] NOT NULL DEFAULT '{}',
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE INDEX courses_organization_id_idx ON courses (organization_id);

CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    actor_id uuid NOT NULL REFERENCES users,
    organization_id uuid REFERENCES organizations,
    action text NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    before jsonb,
    after jsonb,
    request_id text NOT NULL,
    ip text
);

CREATE INDEX audit_log_organization_id_at_idx ON audit_log (organization_id, at);
CREATE INDEX audit_log_subject_idx ON audit_log (subject_kind, subject_id, at);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_is_not_truncated BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
