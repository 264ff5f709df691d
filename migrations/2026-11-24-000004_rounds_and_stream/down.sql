ALTER TABLE progress_events DROP COLUMN percent_after, DROP COLUMN state_after, DROP COLUMN written_in;
DROP INDEX memberships_round_idx;
DROP TABLE assignment_rounds;
