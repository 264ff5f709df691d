-- --- The round at the start of a period --------------------------------------------------------------

-- How far the round of an organization is. Members are visited in 256 slots, by the last byte of their id, which is random, and
-- within a slot by id: everybody before this place has been visited in the round of this period.
CREATE TABLE assignment_rounds (
    organization_id uuid PRIMARY KEY REFERENCES organizations,
    period_start timestamptz NOT NULL,
    slot integer NOT NULL CHECK (slot BETWEEN 0 AND 256),
    after_id uuid NOT NULL
);

CREATE INDEX memberships_round_idx ON memberships (organization_id, get_byte(uuid_send(id), 15), id)
    WHERE status = 'active' AND user_id IS NOT NULL;

-- --- The stream of a team's progress -----------------------------------------------------------------

-- What the assignment was after an event that brought it forward, and the transaction that wrote it. The numbers of a sequence
-- are not in the order of commits; but all transactions before the oldest one under way are over, so among those nothing can
-- appear in front of what somebody has read.
ALTER TABLE progress_events
    ADD COLUMN written_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    ADD COLUMN state_after text CHECK (state_after IN ('assigned', 'in_progress', 'completed', 'withdrawn')),
    ADD COLUMN percent_after double precision,
    ADD CHECK ((state_after IS NULL) = (percent_after IS NULL));
