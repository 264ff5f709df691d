DROP TABLE roster_stage;
DROP TABLE import_rows;
DROP TABLE imports;
ALTER TABLE organizations DROP COLUMN import_mode;
