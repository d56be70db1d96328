-- What SESSION_CHECK asks: whether a token's session still stands. It reads Supabase Auth's own
-- tables, which the service's resting role may not, so it runs as its owner, and answers one word.
-- It may be there already: the Supabase CLI and `user-service migrate` each run this file once.
create schema if not exists user_service;
create or replace function user_service.session_standing(session uuid, subject uuid) returns text
    language sql stable security definer set search_path = ''
as $function$
    select case
        when u.id is null or u.deleted_at is not null then 'ended'
        when u.banned_until > now() then 'banned'
        when s.id is null or s.not_after <= now() then 'ended'
        else 'active'
    end
    from (select 1) as one
    left join auth.users u on u.id = subject
    left join auth.sessions s on s.id = session and s.user_id = subject
$function$;
revoke all on function user_service.session_standing(uuid, uuid) from public;
grant usage on schema user_service to anon;
grant execute on function user_service.session_standing(uuid, uuid) to anon;

do $migration$
begin
    raise notice 'made: function user_service.session_standing, which SESSION_CHECK asks';
end
$migration$;
