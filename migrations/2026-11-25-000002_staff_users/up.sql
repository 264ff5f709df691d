-- What is kept of a person is counted and taken out by these.
CREATE INDEX invitations_accepted_by_idx ON invitations (accepted_by) WHERE accepted_by IS NOT NULL;
CREATE INDEX refinements_created_by_idx ON refinements (created_by, id);
