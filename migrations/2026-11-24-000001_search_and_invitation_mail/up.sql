-- People are found whatever accents they are written with.
CREATE EXTENSION IF NOT EXISTS unaccent;

-- All functions name their schema: a backup is restored with an empty search path.

-- The words of a name. Punctuation goes first: PostgreSQL's parser would take `dr.no` for a host and `-5` for a number.
CREATE FUNCTION name_words(name text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT tsvector_to_array(to_tsvector('pg_catalog.simple', translate(
        public.unaccent('public.unaccent', normalize(name, NFKC)),
        $chars$!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~$chars$, repeat(' ', 32))))
$$;

-- What people are found by: each word of the names, and the names with apostrophes and hyphens left out, so that `obrien`
-- finds O'Brien. Each with the scope in front: an index over these keys knows an organization from all others, so that
-- nobody pays for the namesakes of others.
CREATE FUNCTION name_keys(scope text, names text) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_to_tsvector(array(
        SELECT DISTINCT scope || word FROM unnest(public.name_words(names) || public.name_words(translate(names, '''’-', ''))) word
    ))
$$;

-- Finds those who have, for each word typed, a word that begins so. Null, which finds nobody, when no word was typed. One
-- character may stand for six, and a query takes no word of more than 2,046 bytes.
CREATE FUNCTION name_query(scope text, typed text) RETURNS tsquery LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT string_agg('''' || replace(replace(scope || left(word, 500), '\', '\\'), '''', '''''') || ''':*', ' & ')::tsquery
    FROM unnest(public.name_words(typed)) word
$$;

ALTER TABLE users ADD COLUMN search tsvector NOT NULL
    GENERATED ALWAYS AS (public.name_keys('', first_name || ' ' || last_name)) STORED;

-- No pending list: each search would have to read it from one end to the other.
CREATE INDEX users_search_idx ON users USING gin (search) WITH (fastupdate = off);

-- For going through all accounts, and for counting them.
CREATE INDEX users_present_idx ON users (id) WHERE deleted_at IS NULL;

-- The names that the person gave the account; the roster's may be others. Kept by the triggers below, so that a search needs
-- no look at the accounts of all who are found.
ALTER TABLE memberships ADD COLUMN account_first_name text, ADD COLUMN account_last_name text;
UPDATE memberships m SET account_first_name = u.first_name, account_last_name = u.last_name
    FROM users u WHERE u.id = m.user_id;
ALTER TABLE memberships ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (public.name_keys(
    organization_id::text,
    first_name || ' ' || last_name || ' ' || coalesce(account_first_name || ' ' || account_last_name, '')
)) STORED;

CREATE FUNCTION copy_account_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT first_name, last_name INTO NEW.account_first_name, NEW.account_last_name FROM public.users WHERE id = NEW.user_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER memberships_copy_account_name BEFORE INSERT ON memberships
    FOR EACH ROW WHEN (NEW.user_id IS NOT NULL) EXECUTE FUNCTION copy_account_name();
CREATE TRIGGER memberships_follow_account BEFORE UPDATE OF user_id ON memberships
    FOR EACH ROW WHEN (OLD.user_id IS DISTINCT FROM NEW.user_id) EXECUTE FUNCTION copy_account_name();

CREATE FUNCTION spread_account_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.memberships SET account_first_name = NEW.first_name, account_last_name = NEW.last_name
        WHERE user_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_spread_account_name AFTER UPDATE OF first_name, last_name ON users
    FOR EACH ROW WHEN ((OLD.first_name, OLD.last_name) IS DISTINCT FROM (NEW.first_name, NEW.last_name))
    EXECUTE FUNCTION spread_account_name();

CREATE INDEX memberships_search_idx ON memberships USING gin (search) WITH (fastupdate = off)
    WHERE status <> 'deactivated';
-- For counting an organization's people, and for going through its users.
CREATE INDEX memberships_present_idx ON memberships (organization_id, user_id) INCLUDE (status)
    WHERE status <> 'deactivated';

-- Where an invitation was last mailed to.
ALTER TABLE invitations ADD COLUMN sent_to citext, ADD COLUMN sent_at timestamptz,
    ADD CHECK ((sent_to IS NULL) = (sent_at IS NULL));
CREATE INDEX invitations_organization_id_created_at_idx ON invitations (organization_id, created_at DESC, id DESC)
    INCLUDE (status, expires_at);

-- Not constraints: changing what a plain unique index holds locks the whole row, and then two people who change each other's
-- name wait for each other, since the trail of each refers to the other one.
ALTER TABLE users DROP CONSTRAINT users_username_key, DROP CONSTRAINT users_email_key;
CREATE UNIQUE INDEX users_username_key ON users (username) WHERE username IS NOT NULL;
CREATE UNIQUE INDEX users_email_key ON users (email) WHERE email IS NOT NULL;
