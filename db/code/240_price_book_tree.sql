-- The tree of price book categories: path and level follow parent and slug, a whole subtree moves at once, nothing stands below
-- itself.
-- Invariant: whoever changes the shape of a company's tree holds its lock alone, and whoever moves items in it holds it with
-- others. The lock is taken before any row, so that two moves wait for each other instead of making a cycle or a deadlock
-- together.

create or replace function app.slug_of(p_name text, p_length integer) returns text
  language sql immutable
  set search_path = ''
  return btrim(left(btrim(regexp_replace(lower(p_name), '[^a-z0-9]+', '-', 'g'), '-'), p_length), '-');
revoke all on function app.slug_of(text, integer) from public;
grant execute on function app.slug_of(text, integer) to app_definer;

create or replace function app.lock_price_book(p_company_id uuid, p_alone boolean) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  if p_alone then
    perform pg_advisory_xact_lock(hashtextextended('price_book:' || p_company_id::text, 0));
  else
    perform pg_advisory_xact_lock_shared(hashtextextended('price_book:' || p_company_id::text, 0));
  end if;
end $$;
revoke all on function app.lock_price_book(uuid, boolean) from public;
grant execute on function app.lock_price_book(uuid, boolean) to authenticated, service_role, app_definer;

-- Before the statement no row says which company it is: it is that of the transaction, and a program without one takes the lock
-- later.
create or replace function app.lock_price_book_first() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if app.company_id() is not null and pg_trigger_depth() = 1 then
    perform app.lock_price_book(app.company_id(), tg_argv[0] = 'alone');
  end if;
  return null;
end $$;
revoke all on function app.lock_price_book_first() from public;
create or replace trigger a_lock_inserts before insert on public.price_book_categories
  for each statement execute function app.lock_price_book_first('alone');
create or replace trigger a_lock_moves before update of parent_id, slug on public.price_book_categories
  for each statement execute function app.lock_price_book_first('alone');
create or replace trigger a_lock_deletes before delete on public.price_book_categories
  for each statement execute function app.lock_price_book_first('alone');

create or replace function app.place_category() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_parent public.price_book_categories;
  v_label  text;
begin
  if tg_op = 'UPDATE' then
    -- The triggers below write path and counts themselves; nobody else does.
    if pg_trigger_depth() > 1 then
      return new;
    end if;
    new.path := old.path;
    new.level := old.level;
    new.item_count := old.item_count;
    new.descendant_item_count := old.descendant_item_count;
    if (new.parent_id, new.slug) is not distinct from (old.parent_id, old.slug) then
      return new;
    end if;
  else
    new.item_count := 0;
    new.descendant_item_count := 0;
  end if;
  perform app.lock_price_book(new.company_id, true);

  if coalesce(btrim(new.slug), '') = '' then
    new.slug := app.slug_of(new.name, 100);
    if new.slug = '' or exists (select from public.price_book_categories c
                                 where c.company_id = new.company_id and c.slug = new.slug and c.id <> new.id) then
      new.slug := btrim(new.slug || '-' || right(replace(new.id::text, '-', ''), 8), '-');
    end if;
  end if;
  v_label := replace(new.slug, '-', '_');
  if v_label !~ '^[a-z0-9_]{1,120}$' then
    return new; -- The table's check names the column and refuses.
  end if;
  new.path := v_label::extensions.ltree;
  if new.parent_id is not null then
    select * into v_parent from public.price_book_categories c where c.company_id = new.company_id and c.id = new.parent_id;
    if not found then
      return new; -- It comes with the same statement, or the key refuses.
    end if;
    new.path := v_parent.path operator(extensions.||) new.path;
  end if;
  new.level := extensions.nlevel(new.path) - 1;
  return new;
end $$;

alter function app.place_category() owner to app_definer;
revoke all on function app.place_category() from public;
create or replace trigger place before insert or update on public.price_book_categories
  for each row when (app.is_within_reach(new.company_id)) execute function app.place_category();

-- Walks a company's tree from its roots: what stands below goes along, what is below is counted where it is now, and what is not
-- reached stands below itself. One statement may move many, in any order; so it is looked at when it is done.
create or replace function app.settle_price_book(p_company_id uuid) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_levels_max constant integer := 20;
  v_found      record;
begin
  perform app.lock_price_book(p_company_id, true);
  with recursive tree (id, path, level) as (
    select c.id, replace(c.slug, '-', '_')::extensions.ltree, 0
      from public.price_book_categories c where c.company_id = p_company_id and c.parent_id is null
    union all
    select c.id, t.path operator(extensions.||) replace(c.slug, '-', '_')::extensions.ltree, t.level + 1
      from tree t join public.price_book_categories c on c.company_id = p_company_id and c.parent_id = t.id
     where t.level < v_levels_max
  ), placed as (
    update public.price_book_categories c set path = t.path, level = t.level
      from tree t
     where c.company_id = p_company_id and c.id = t.id and (c.level <> t.level or c.path operator(extensions.<>) t.path)
  )
  select count(*) as reached, max(t.level) as deepest,
         (select count(*) from public.price_book_categories c where c.company_id = p_company_id) as known
    into v_found from tree t;
  -- Behind the deepest level the walk ends, so this comes first.
  if v_found.deepest >= v_levels_max then
    raise exception using errcode = 'TH422', constraint = 'category_too_deep',
      message = format('The tree of categories has at most %s levels.', v_levels_max);
  end if;
  if v_found.reached <> v_found.known then
    raise exception using errcode = 'TH422', constraint = 'category_cycle',
      message = 'A category cannot stand below itself.', hint = 'Choose a parent that is not one of its own subcategories.';
  end if;
  update public.price_book_categories c
     set descendant_item_count = t.total
    from (select a.id, sum(d.item_count) as total
            from public.price_book_categories a
            join public.price_book_categories d on d.company_id = a.company_id and a.path operator(extensions.@>) d.path
           where a.company_id = p_company_id group by a.id) t
   where c.company_id = p_company_id and c.id = t.id and c.descendant_item_count <> t.total;
end $$;
revoke all on function app.settle_price_book(uuid) from public;
grant execute on function app.settle_price_book(uuid) to app_definer;

create or replace function app.categories_added() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  -- A row whose parent stood before it is where it belongs.
  perform app.settle_price_book(d.company_id)
     from (select distinct a.company_id
             from added a join public.price_book_categories p on p.company_id = a.company_id and p.id = a.parent_id
            where a.path operator(extensions.<>) (p.path operator(extensions.||) replace(a.slug, '-', '_')::extensions.ltree)
              or a.level > 18
            order by 1) d;
  return null;
end $$;
alter function app.categories_added() owner to app_definer;
revoke all on function app.categories_added() from public;
create or replace trigger settle_added after insert on public.price_book_categories
  referencing new table as added for each statement execute function app.categories_added();

create or replace function app.categories_moved() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if pg_trigger_depth() = 1 then
    perform app.settle_price_book(d.company_id)
       from (select distinct b.company_id
               from became b join was w on w.company_id = b.company_id and w.id = b.id
              where (b.parent_id, b.slug) is distinct from (w.parent_id, w.slug) order by 1) d;
  end if;
  return null;
end $$;
alter function app.categories_moved() owner to app_definer;
revoke all on function app.categories_moved() from public;
create or replace trigger settle_moved after update on public.price_book_categories
  referencing old table as was new table as became for each statement execute function app.categories_moved();

create or replace function app.guard_category_delete() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  -- When the company itself goes, everything goes.
  if not exists (select from public.companies c where c.id = old.company_id) then
    return old;
  end if;
  if exists (select from public.price_book_items i where i.company_id = old.company_id and i.category_id = old.id) then
    raise exception using errcode = 'TH409', constraint = 'category_has_items',
      message = 'A category that has items cannot be deleted.',
      hint = 'Move its items to another one; deleted ones count until they are gone for good.';
  end if;
  if exists (select from public.price_book_categories c where c.company_id = old.company_id and c.parent_id = old.id) then
    raise exception using errcode = 'TH409', constraint = 'category_has_subcategories',
      message = 'A category that has subcategories cannot be deleted.', hint = 'Move or delete those first.';
  end if;
  return old;
end $$;
alter function app.guard_category_delete() owner to app_definer;
revoke all on function app.guard_category_delete() from public;
create or replace trigger guard_delete before delete on public.price_book_categories
  for each row execute function app.guard_category_delete();
