-- A login for the service that can do one thing: become a caller.
--
-- Run it once, as the project's owner:
--
--     psql "$MIGRATE_DATABASE_URL" -f sql/login.sql
--     psql "$MIGRATE_DATABASE_URL" -c '\password user_service'
--
-- and use user_service (user_service.<ref> through the pooler) in DATABASE_URL from then on; the
-- owner's stays in MIGRATE_DATABASE_URL.
--
-- NOINHERIT: it has none of the rights of anon and authenticated until it takes their place for a
-- transaction. It is no member of service_role, owns nothing, and row level security binds it.

create role user_service login noinherit;
grant anon, authenticated to user_service;
