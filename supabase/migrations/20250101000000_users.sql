-- public.users as the usual starter has it: a row for every user of Supabase Auth, which its owner
-- alone may see and change. Nothing that a project already has is replaced, added to or dropped.

do $migration$
declare
    users_elsewhere constant boolean :=
        coalesce(nullif(current_setting('user_service.schema', true), ''), 'public') <> 'public';
    sign_up_taken boolean;
begin
    if to_regclass('auth.users') is null then
        raise exception 'auth.users is missing: this is not the database of a Supabase project';
    end if;

    if users_elsewhere then
        raise notice 'left alone: users is in the schema of DATABASE_SCHEMA, so public.users is not made';
        return;
    end if;

    if to_regclass('public.users') is not null then
        raise notice 'left alone: public.users exists, so it keeps its columns, policies, grants and triggers';
        return;
    end if;

    create table public.users (
        id uuid primary key references auth.users on delete cascade,
        full_name text,
        avatar_url text,
        billing_address jsonb,
        payment_method jsonb
    );
    comment on table public.users is 'A row for every user: made at sign-up, seen and changed by the user alone.';
    alter table public.users enable row level security;
    create policy "Can view own user data" on public.users
        for select using ((select auth.uid()) = id);
    create policy "Can update own user data" on public.users
        for update using ((select auth.uid()) = id) with check ((select auth.uid()) = id);
    grant select, update on public.users to authenticated;
    raise notice 'made: table public.users, with row level security, two policies and grants to authenticated';

    sign_up_taken :=
        exists (
            select from pg_catalog.pg_proc
            where pronamespace = 'public'::regnamespace and proname = 'handle_new_user'
        )
        or exists (
            select from pg_catalog.pg_trigger
            where tgrelid = 'auth.users'::regclass and tgname = 'on_auth_user_created'
        );
    if sign_up_taken then
        raise notice 'left alone: public.handle_new_user or the trigger on_auth_user_created exists, so new users get their row in public.users from it, or from nobody';
        return;
    end if;

    create function public.handle_new_user() returns trigger
        language plpgsql security definer set search_path = ''
    as $function$
    begin
        insert into public.users (id, full_name, avatar_url)
        values (new.id, new.raw_user_meta_data ->> 'full_name', new.raw_user_meta_data ->> 'avatar_url');
        return new;
    end
    $function$;
    create trigger on_auth_user_created
        after insert on auth.users
        for each row execute function public.handle_new_user();
    raise notice 'made: function public.handle_new_user and its trigger on auth.users, which gives every new user a row';
end
$migration$;
