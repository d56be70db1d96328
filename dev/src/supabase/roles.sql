-- The roles of a Supabase project, once for a server. Passwords are set by the caller.
do $$
begin
  if exists (select from pg_roles where rolname = 'authenticator') then
    return;
  end if;

  -- What a request's token names. They never log in.
  create role anon nologin inherit;
  create role authenticated nologin inherit;
  create role service_role nologin inherit bypassrls;

  -- What PostgREST logs in as: nobody, until it takes one of the three.
  create role authenticator login noinherit;
  grant anon, authenticated, service_role to authenticator;
  alter role authenticator set statement_timeout = '8s';
  alter role authenticator set lock_timeout = '8s';
  alter role anon set statement_timeout = '3s';
  alter role authenticated set statement_timeout = '8s';

  -- The project's owner: not a superuser, yet above row level security.
  create role postgres login createdb createrole replication bypassrls;
  grant anon, authenticated, service_role to postgres with admin option;
  grant authenticator to postgres;
  grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;
  alter role postgres set search_path to "$user", public, extensions;
  alter database postgres owner to postgres;

  -- Supabase Auth, which owns its tables.
  create role supabase_auth_admin login noinherit createrole;
  alter role supabase_auth_admin set search_path to auth;

  alter role supabase_admin set search_path to "$user", public, auth, extensions;
end
$$;
