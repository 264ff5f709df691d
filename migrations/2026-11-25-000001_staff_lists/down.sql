ALTER TABLE teams DROP COLUMN external_id;
DROP INDEX organizations_name_idx;
