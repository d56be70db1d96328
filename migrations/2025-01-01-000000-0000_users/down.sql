-- What is in public and auth may be a project's own by now, and holds its data: it stays.
do $$
begin
    raise notice 'left alone: public.users, public.handle_new_user and its trigger';
end
$$;
