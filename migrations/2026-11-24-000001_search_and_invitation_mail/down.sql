DROP INDEX users_username_key, users_email_key;
ALTER TABLE users ADD CONSTRAINT users_username_key UNIQUE (username), ADD CONSTRAINT users_email_key UNIQUE (email);

DROP INDEX invitations_organization_id_created_at_idx;
ALTER TABLE invitations DROP COLUMN sent_to, DROP COLUMN sent_at;

DROP INDEX memberships_present_idx, memberships_search_idx;
DROP TRIGGER users_spread_account_name ON users;
DROP FUNCTION spread_account_name;
DROP TRIGGER memberships_copy_account_name ON memberships;
DROP TRIGGER memberships_follow_account ON memberships;
DROP FUNCTION copy_account_name;
ALTER TABLE memberships DROP COLUMN search, DROP COLUMN account_first_name,
    DROP COLUMN account_last_name;
DROP INDEX users_present_idx, users_search_idx;
ALTER TABLE users DROP COLUMN search;
DROP FUNCTION name_query, name_keys, name_words;
DROP EXTENSION IF EXISTS unaccent;
