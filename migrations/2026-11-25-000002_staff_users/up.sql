-- What is kept of a person is counted and taken out by these.
CREATE INDEX invitations_accepted_by_idx ON invitations (accepted_by) WHERE accepted_by IS NOT NULL;
CREATE INDEX refinements_created_by_idx ON refinements (created_by, id);

-- The trail, newest first: all of it, what one person did, and what was done to one kind of thing. That of an organization and
-- of one thing have their indexes.
CREATE INDEX audit_log_at_idx ON audit_log (at, id);
CREATE INDEX audit_log_actor_id_at_idx ON audit_log (actor_id, at);
CREATE INDEX audit_log_subject_kind_at_idx ON audit_log (subject_kind, at);
