-- What suppliers offer becomes items of the price book.
-- Invariant: of an item of a supplier there is one in the price book; what the company did not allow (new items, changed prices) is not done.

revoke all on app.supplier_secrets from public, anon, authenticated, guest, service_role;
grant select, insert, update, delete on app.supplier_secrets to service_role;

-- A secret that a client writes into a column would stand there as it is.
create or replace function app.guard_supplier_secrets() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  raise exception using errcode = 'TH422', constraint = 'supplier_secret_misplaced',
    message = 'Secrets of a supplier are not written into its row.', hint = 'PUT /api/v1/suppliers/{id}/secrets keeps them sealed.';
end $$;
revoke all on function app.guard_supplier_secrets() from public;
create or replace trigger guard_new_secrets before insert on public.supplier_integrations
  for each row when (num_nonnulls(new.api_key, new.api_secret, new.webhook_secret) > 0 and current_user in ('authenticated', 'service_role'))
  execute function app.guard_supplier_secrets();
create or replace trigger guard_secrets before update of api_key, api_secret, webhook_secret on public.supplier_integrations
  for each row when ((new.api_key is distinct from old.api_key and new.api_key is not null
                      or new.api_secret is distinct from old.api_secret and new.api_secret is not null
                      or new.webhook_secret is distinct from old.webhook_secret and new.webhook_secret is not null)
                     and current_user in ('authenticated', 'service_role'))
  execute function app.guard_supplier_secrets();

-- Keeps a secret that the server sealed, in place of the one that was there.
create or replace function app.keep_supplier_secret(p_company_id uuid, p_integration_id uuid, p_name text, p_id uuid, p_secret text) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  perform app.keep_to_company(p_company_id);
  delete from app.supplier_secrets s where s.company_id = p_company_id and s.integration_id = p_integration_id and s.name = p_name;
  insert into app.supplier_secrets (company_id, id, integration_id, name, secret)
  select p_company_id, p_id, p_integration_id, p_name, p_secret where p_secret is not null;
end $$;
revoke all on function app.keep_supplier_secret(uuid, uuid, text, uuid, text) from public;
grant execute on function app.keep_supplier_secret(uuid, uuid, text, uuid, text) to service_role;

-- A fetch begins: what is known of the integration; nothing where it is not there, or another fetch runs that is not an hour old.
create or replace function app.open_supplier_sync(p_company_id uuid, p_integration_id uuid)
  returns table (endpoint text, catalogue jsonb, account_number text, is_enabled boolean, secrets jsonb)
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform app.keep_to_company(p_company_id);
  update public.supplier_integrations i set status = 'syncing', last_sync_status = 'in_progress'
   where i.company_id = p_company_id and i.id = p_integration_id;
  return query
  select i.api_endpoint, i.catalogue, i.account_number, i.api_enabled,
         (select coalesce(jsonb_object_agg(s.name, jsonb_build_array(s.id, s.secret)), '{}') from app.supplier_secrets s
           where s.company_id = i.company_id and s.integration_id = i.id)
    from public.supplier_integrations i where i.company_id = p_company_id and i.id = p_integration_id;
end $$;
alter function app.open_supplier_sync(uuid, uuid) owner to app_definer;
revoke all on function app.open_supplier_sync(uuid, uuid) from public;
grant execute on function app.open_supplier_sync(uuid, uuid) to service_role;

-- Takes a batch of what a supplier offers. New items need a category: category_mappings has the supplier's word, or * for all others.
create or replace function app.take_supplier_items(p_company_id uuid, p_integration_id uuid, p_currency text, p_items jsonb,
                                                   out imported bigint, out updated bigint, out failed bigint, out problems jsonb)
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_supplier public.supplier_integrations;
  v_offer    record;
  v_item     public.price_book_items;
  v_category uuid;
begin
  imported := 0; updated := 0; failed := 0; problems := '[]';
  perform app.keep_to_company(p_company_id);
  select * into v_supplier from public.supplier_integrations i where i.company_id = p_company_id and i.id = p_integration_id;
  if not found then
    return;
  end if;
  perform set_config('app.change_reason', 'supplier_sync: ' || v_supplier.display_name, true);
  for v_offer in
    select x.sku, x.name, x.description, x.cost, x.category, x.unit, x.image_url
      from jsonb_to_recordset(p_items) x (sku text, name text, description text, cost bigint, category text, unit text, image_url text)
     order by x.sku
  loop
    select * into v_item from public.price_book_items b
     where b.company_id = p_company_id and b.supplier_id = p_integration_id and b.supplier_sku = v_offer.sku and b.deleted_at is null
     order by b.id limit 1 for no key update;
    if found then
      if v_item.currency <> p_currency then
        failed := failed + 1;
        problems := problems || jsonb_build_object('sku', v_offer.sku, 'problem', 'currency_differs');
      elsif v_supplier.auto_update_prices and v_item.cost <> v_offer.cost then
        update public.price_book_items b
           set cost = v_offer.cost, supplier_last_sync_at = now(),
               price = case when b.markup_percent > 0 then round(v_offer.cost * (100 + b.markup_percent) / 100.0) else b.price end
         where b.company_id = p_company_id and b.id = v_item.id;
        updated := updated + 1;
      end if;
    elsif v_supplier.auto_import_new_items then
      v_category := app.uuid_or_null(coalesce(v_supplier.category_mappings ->> coalesce(v_offer.category, ''), v_supplier.category_mappings ->> '*'));
      if v_category is null or not exists (select from public.price_book_categories c
                                            where c.company_id = p_company_id and c.id = v_category) then
        failed := failed + 1;
        problems := problems || jsonb_build_object('sku', v_offer.sku, 'problem', 'category_unknown', 'category', left(v_offer.category, 200));
      else
        insert into public.price_book_items (company_id, category_id, item_type, name, description, sku, currency, cost, price, markup_percent, unit,
                                             supplier_id, supplier_sku, supplier_last_sync_at, image_url)
        values (p_company_id, v_category, 'material', v_offer.name, v_offer.description, v_offer.sku, p_currency, v_offer.cost,
                round(v_offer.cost * (100 + v_supplier.default_markup_percent) / 100.0), v_supplier.default_markup_percent,
                coalesce(v_offer.unit, 'each'), p_integration_id, v_offer.sku, now(), v_offer.image_url);
        imported := imported + 1;
      end if;
    end if;
  end loop;
end $$;
alter function app.take_supplier_items(uuid, uuid, text, jsonb) owner to app_definer;
revoke all on function app.take_supplier_items(uuid, uuid, text, jsonb) from public;
grant execute on function app.take_supplier_items(uuid, uuid, text, jsonb) to service_role;

-- A fetch ended: its counts, or why it failed; the next one comes as often as the company wants it.
create or replace function app.close_supplier_sync(p_company_id uuid, p_integration_id uuid, p_imported bigint, p_updated bigint, p_failed bigint, p_error text)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform app.keep_to_company(p_company_id);
  update public.supplier_integrations i
     set status = case when p_error is null then 'connected' else 'error' end, last_sync_at = now(),
         last_sync_status = case when p_error is null then 'success' else 'error' end, last_sync_error = left(p_error, 2000),
         total_items_imported = i.total_items_imported + p_imported, total_items_updated = i.total_items_updated + p_updated,
         total_items_failed = i.total_items_failed + p_failed,
         next_sync_at = now() + case i.sync_frequency when 'hourly' then interval '1 hour' when 'daily' then interval '1 day' when 'weekly' then interval '7 days' end
   where i.company_id = p_company_id and i.id = p_integration_id;
end $$;
alter function app.close_supplier_sync(uuid, uuid, bigint, bigint, bigint, text) owner to app_definer;
revoke all on function app.close_supplier_sync(uuid, uuid, bigint, bigint, bigint, text) from public;
grant execute on function app.close_supplier_sync(uuid, uuid, bigint, bigint, bigint, text) to service_role;

-- Puts in a fetch for each integration whose time has come. Returns how many.
create or replace function app.put_supplier_syncs(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row   record;
  v_count bigint := 0;
begin
  for v_row in
    select i.company_id, i.id from public.supplier_integrations i
      join public.companies c on c.id = i.company_id and c.deleted_at is null and c.archived_at is null and c.suspended_at is null
     where i.sync_enabled and i.api_enabled and i.sync_frequency in ('hourly', 'daily', 'weekly') and coalesce(i.next_sync_at, '-infinity') <= now()
       and not exists (select from app.tasks t where t.company_id = i.company_id and t.kind = 'sync_integration' and t.unique_key = i.id::text)
     order by i.next_sync_at nulls first limit p_limit
  loop
    perform app.enqueue_task('sync_integration', jsonb_build_object('integration_id', v_row.id), v_row.company_id, p_unique_key => v_row.id::text);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
alter function app.put_supplier_syncs(integer) owner to app_definer;
revoke all on function app.put_supplier_syncs(integer) from public;
grant execute on function app.put_supplier_syncs(integer) to service_role;
