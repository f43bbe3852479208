-- A company with the people of its first block; later blocks of the same company bring ten technicians more each. Rules for people apply as
-- always: these rows are few.

insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data)
select ('01910000-0000-7' || b.mark || '-8100-' || lpad(to_hex(b.block * 16 + p.n), 12, '0'))::uuid,
       p.login || case when b.block > 0 then '-' || b.block else '' end || '@company' || b.company || '.scale.example', now(),
       jsonb_build_object('name', initcap(p.login) || ' of company ' || b.company)
  from scale_block b
  cross join (select 0 as n, 'owner' as login union all select 10, 'dispatcher' union all select 11, 'csr' union all select 12, 'manager'
              union all select n, 'technician' || n from generate_series(1, 9) n union all select 13, 'technician10') p
 where b.block = 0 or p.login like 'technician%';

insert into public.companies (id, name, slug, owner_id, industry, business_timezone, max_seats, subscription_tier, created_by)
select b.company_id, 'Company ' || b.company, 'scale-company-' || b.company, ('01910000-0000-7' || b.mark || '-8100-000000000000')::uuid,
       'home_services', 'UTC', 10000, 'enterprise', ('01910000-0000-7' || b.mark || '-8100-000000000000')::uuid
  from scale_block b where b.block = 0;

insert into public.team_members (company_id, id, user_id, role, job_title)
select b.company_id, u.id, u.id,
       case when p.n = 0 then 'owner' when p.n = 10 then 'dispatcher' when p.n = 11 then 'csr' when p.n = 12 then 'manager' else 'technician' end, 'Member'
  from scale_block b
  cross join generate_series(0, 13) p (n)
  cross join lateral (select ('01910000-0000-7' || b.mark || '-8100-' || lpad(to_hex(b.block * 16 + p.n), 12, '0'))::uuid as id) u
 where b.block = 0 or p.n not in (0, 10, 11, 12);
