-- What documents come to: sums of their lines, discount and tax, in minor units.
-- Invariant: a figure of a document is what this file computes from its lines; one that is sent along has to be the same.

-- The discount is shared out over all lines by their amount, and tax is rounded once, half away from zero. A discount that is
-- larger than the lines takes all and no more, so that nothing is ever negative while lines come and go.
create or replace function app.document_totals(
  p_lines jsonb, p_discount bigint, p_tax_rate numeric,
  out subtotal bigint, out taxable_subtotal bigint, out discount bigint, out tax_amount bigint, out total_amount bigint
)
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
begin
  select coalesce(sum((l.value ->> 'total')::bigint), 0),
         coalesce(sum((l.value ->> 'total')::bigint) filter (where (l.value ->> 'is_taxable')::boolean), 0)
    into subtotal, taxable_subtotal
    from jsonb_array_elements(p_lines) l;
  discount := least(p_discount, subtotal);
  tax_amount := case when subtotal = 0 then 0
    else round(taxable_subtotal::numeric * (subtotal - discount) * p_tax_rate / (subtotal::numeric * 100)) end;
  total_amount := subtotal - discount + tax_amount;
end $$;
comment on function app.document_totals(jsonb, bigint, numeric) is
  'The totals of lines: tax = round((taxable subtotal less its share of the discount) x rate / 100).';
revoke all on function app.document_totals(jsonb, bigint, numeric) from public;
grant execute on function app.document_totals(jsonb, bigint, numeric) to authenticated, service_role, app_definer;

-- Refuses figures that somebody sent and that are not those which were computed. In an update whatever is as it was counts as
-- not sent.
create or replace function app.check_figures(p_noun text, p_sent jsonb, p_before jsonb, p_computed jsonb) returns void
  language plpgsql immutable
  set search_path = ''
as $$
declare
  v_wrong text;
begin
  select string_agg(c.key, ', ' order by c.key) into v_wrong
    from jsonb_each(p_computed) c
   where p_sent -> c.key <> c.value and p_sent -> c.key is distinct from coalesce(p_before -> c.key, '0');
  if v_wrong is not null then
    raise exception using errcode = 'TH422', constraint = p_noun || '_figures_computed',
      message = format('%s of this %s computed: write line_items, tax_rate and discount_amount.', v_wrong,
                       p_noun || case when v_wrong like '%,%' then ' are' else ' is' end),
      detail = p_computed::text;
  end if;
end $$;
revoke all on function app.check_figures(text, jsonb, jsonb, jsonb) from public;
grant execute on function app.check_figures(text, jsonb, jsonb, jsonb) to authenticated, service_role, app_definer;

-- Which of an estimate's lines count for an option: its own, those of no option, and of the optional ones those that are
-- chosen.
create or replace function app.lines_of_option(p_lines jsonb, p_option_id uuid) returns jsonb
  language sql immutable parallel safe
  set search_path = ''
as $$
  select coalesce(jsonb_agg(l.value order by l.n), '[]')
    from jsonb_array_elements(p_lines) with ordinality l (value, n)
   where (l.value ->> 'option_id' is null or l.value ->> 'option_id' = p_option_id::text)
     and (not (l.value ->> 'is_optional')::boolean or (l.value ->> 'is_selected')::boolean);
$$;
revoke all on function app.lines_of_option(jsonb, uuid) from public;
grant execute on function app.lines_of_option(jsonb, uuid) to app_definer;

-- Invoices -----------------------------------------------------------------------------------------

select app.keep_line_items('public.invoices', 'invoices', 'public.invoice_line_items', 'invoice_id', 'invoice_lines');

create or replace function app.total_invoice() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v record;
begin
  select * into v from app.document_totals(new.line_items, new.discount_amount, new.tax_rate);
  perform app.check_figures('invoice', to_jsonb(new), case when tg_op = 'UPDATE' then to_jsonb(old) end,
    jsonb_build_object('subtotal', v.subtotal, 'taxable_subtotal', v.taxable_subtotal, 'tax_amount', v.tax_amount,
                       'total_amount', v.total_amount, 'balance_amount', v.total_amount - new.paid_amount - new.credited_amount));
  new.subtotal := v.subtotal;
  new.taxable_subtotal := v.taxable_subtotal;
  new.tax_amount := v.tax_amount;
  new.total_amount := v.total_amount;
  new.balance_amount := v.total_amount - new.paid_amount - new.credited_amount;
  return new;
end $$;
revoke all on function app.total_invoice() from public;
create or replace trigger calculate_totals before insert or update on public.invoices
  for each row when (app.is_within_reach(new.company_id)) execute function app.total_invoice();

-- Estimates ----------------------------------------------------------------------------------------

select app.keep_line_items('public.estimates', 'estimates', 'public.estimate_line_items', 'estimate_id', 'estimate_lines');

create or replace function app.total_estimate() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_option uuid := new.selected_option_id;
  v record;
begin
  if v_option is null then
    -- Nothing is chosen yet: what is recommended is shown, else the first.
    select o.id into v_option from public.estimate_options o
     where o.company_id = new.company_id and o.estimate_id = new.id
     order by o.is_recommended desc, o.position, o.id limit 1;
  end if;
  select * into v from app.document_totals(app.lines_of_option(new.line_items, v_option), new.discount_amount, new.tax_rate);
  perform app.check_figures('estimate', to_jsonb(new), case when tg_op = 'UPDATE' then to_jsonb(old) end,
    jsonb_build_object('subtotal', v.subtotal, 'taxable_subtotal', v.taxable_subtotal, 'tax_amount', v.tax_amount,
                       'total_amount', v.total_amount));
  new.subtotal := v.subtotal;
  new.taxable_subtotal := v.taxable_subtotal;
  new.tax_amount := v.tax_amount;
  new.total_amount := v.total_amount;
  return new;
end $$;
alter function app.total_estimate() owner to app_definer;
revoke all on function app.total_estimate() from public;
create or replace trigger calculate_totals before insert or update on public.estimates
  for each row when (app.is_within_reach(new.company_id)) execute function app.total_estimate();

-- Each option shows what the estimate comes to with it.
create or replace function app.total_options() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  -- Who edits an option holds it and waits for the estimate, which is held here.
  begin
    perform from public.estimate_options o
      where o.company_id = new.company_id and o.estimate_id = new.id for no key update nowait;
  exception when lock_not_available then
    raise exception using errcode = 'TH409', constraint = 'line_items_busy',
      message = 'Somebody is changing one of the options at this moment.', hint = 'Read the document and try again.';
  end;
  update public.estimate_options o
     set currency = new.currency, subtotal = t.subtotal, taxable_subtotal = t.taxable_subtotal, discount_amount = t.discount,
         tax_amount = t.tax_amount, total_amount = t.total_amount
    from public.estimate_options s
   cross join lateral app.document_totals(app.lines_of_option(new.line_items, s.id), new.discount_amount, new.tax_rate) t
   where s.company_id = new.company_id and s.estimate_id = new.id and o.company_id = s.company_id and o.id = s.id
     and (o.currency, o.subtotal, o.taxable_subtotal, o.discount_amount, o.tax_amount, o.total_amount)
           is distinct from (new.currency, t.subtotal, t.taxable_subtotal, t.discount, t.tax_amount, t.total_amount);
  return null;
end $$;
alter function app.total_options() owner to app_definer;
revoke all on function app.total_options() from public;
create or replace trigger total_options after update on public.estimates
  for each row execute function app.total_options();

create or replace function app.total_option() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v record;
begin
  select e.currency, t.* into v
    from public.estimates e
   cross join lateral app.document_totals(app.lines_of_option(e.line_items, new.id), e.discount_amount, e.tax_rate) t
   where e.company_id = new.company_id and e.id = new.estimate_id;
  if not found then
    return new; -- Its key refuses it.
  end if;
  perform app.check_figures('estimate_option', to_jsonb(new), case when tg_op = 'UPDATE' then to_jsonb(old) end,
    jsonb_build_object('subtotal', v.subtotal, 'taxable_subtotal', v.taxable_subtotal, 'discount_amount', v.discount,
                       'tax_amount', v.tax_amount, 'total_amount', v.total_amount));
  new.currency := v.currency;
  new.subtotal := v.subtotal;
  new.taxable_subtotal := v.taxable_subtotal;
  new.discount_amount := v.discount;
  new.tax_amount := v.tax_amount;
  new.total_amount := v.total_amount;
  return new;
end $$;
alter function app.total_option() owner to app_definer;
revoke all on function app.total_option() from public;
create or replace trigger calculate_totals before insert or update on public.estimate_options
  for each row when (app.is_within_reach(new.company_id)) execute function app.total_option();

-- Options that come, go or change their order decide what the estimate shows.
create or replace function app.options_changed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_company_id  constant uuid := case when tg_op = 'DELETE' then old.company_id else new.company_id end;
  v_estimate_id constant uuid := case when tg_op = 'DELETE' then old.estimate_id else new.estimate_id end;
begin
  update public.estimates e set line_items = e.line_items where e.company_id = v_company_id and e.id = v_estimate_id;
  if tg_op = 'UPDATE' and old.estimate_id <> new.estimate_id then
    update public.estimates e set line_items = e.line_items where e.company_id = v_company_id and e.id = old.estimate_id;
  end if;
  return null;
end $$;
alter function app.options_changed() owner to app_definer;
revoke all on function app.options_changed() from public;
create or replace trigger changed_first after insert or delete on public.estimate_options
  for each row execute function app.options_changed();
create or replace trigger changed after update on public.estimate_options
  for each row when ((old.estimate_id, old.position, old.is_recommended) is distinct from
                     (new.estimate_id, new.position, new.is_recommended))
  execute function app.options_changed();
