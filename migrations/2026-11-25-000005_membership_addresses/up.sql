-- Rosters without numbers find people by their address.
CREATE INDEX CONCURRENTLY IF NOT EXISTS memberships_email_idx ON memberships (organization_id, email) WHERE email IS NOT NULL;
