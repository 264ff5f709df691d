-- Staff lists all organizations by name.
CREATE INDEX organizations_name_idx ON organizations (lower(name), id);

-- The customer's own number of a team.
ALTER TABLE teams ADD COLUMN external_id text;
CREATE UNIQUE INDEX teams_live_external_id_key ON teams (organization_id, external_id)
    WHERE deleted_at IS NULL AND external_id IS NOT NULL;
