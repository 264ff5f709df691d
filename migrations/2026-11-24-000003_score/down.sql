DROP TRIGGER score_snapshots_are_final ON score_snapshots;
DROP FUNCTION refuse_change_of_snapshot;
DROP FUNCTION score_periods;
DROP FUNCTION first_instant;
DROP TRIGGER progress_events_mark_progress ON progress_events;
DROP FUNCTION mark_progress;
DROP TABLE progress_marks;
ALTER TABLE assignments DROP COLUMN credited_at;
