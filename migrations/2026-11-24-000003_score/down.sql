DROP TRIGGER organizations_forget_scores ON organizations;
DROP TRIGGER progress_events_forget_scores ON progress_events;
DROP TRIGGER assignments_made_forget_scores ON assignments;
DROP TRIGGER assignments_changed_forget_scores ON assignments;
DROP TRIGGER memberships_forget_scores ON memberships;
DROP TRIGGER champion_certifications_forget_scores ON champion_certifications;
DROP TRIGGER team_stints_begun_forget_scores ON team_stints;
DROP TRIGGER team_stints_ended_forget_scores ON team_stints;
DROP TRIGGER refinements_forget_scores ON refinements;
DROP FUNCTION forget_scores_of_organization, forget_scores_of_reported, forget_scores_of_assigned, forget_scores_of_assignment,
    forget_scores_of_membership, forget_scores_of_champion, forget_scores_of_joined, forget_scores_of_team, is_past,
    forget_scores_of, forget_scores;
DROP TRIGGER score_snapshots_are_final ON score_snapshots;
ALTER TABLE score_snapshots DROP COLUMN final_at;
DROP FUNCTION refuse_change_of_snapshot;
DROP FUNCTION score_periods;
DROP FUNCTION first_instant;
DROP TRIGGER progress_events_mark_progress ON progress_events;
DROP FUNCTION mark_progress;
DROP TABLE progress_marks;
ALTER TABLE assignments DROP COLUMN credited_at;
