-- The next number of every company follows the ones it has.

insert into app.counters (company_id, name, value)
select m.company_id, n.kind || '-' || y.year, m.blocks * n.value
  from (select c.id as company_id, (select count(*) / 10 from public.team_members t where t.company_id = c.id and t.role = 'technician') as blocks
          from public.companies c where c.slug like 'scale-company-%') m
  cross join scale_years y
  cross join lateral (values ('job', y.jobs), ('estimate', y.estimates), ('invoice', y.bills), ('invoice_draft', y.bills), ('payment', y.payments))
    n (kind, value)
 where n.value > 0
union all
select m.company_id, 'equipment', m.blocks * 500
  from (select c.id as company_id, (select count(*) / 10 from public.team_members t where t.company_id = c.id and t.role = 'technician') as blocks
          from public.companies c where c.slug like 'scale-company-%') m
on conflict (company_id, name) do update set value = excluded.value;
