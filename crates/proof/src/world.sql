-- Two companies with rows in every table, a person for every role, and one person in no company.
-- Ids tell what they are: ...-00000000<company><kind><number>.

do $$
declare
  v_roles constant text[] := array['owner', 'admin', 'manager', 'dispatcher', 'technician', 'csr', 'member', 'viewer'];
  v_company text;
  v_id      uuid;
  v_user    uuid;
  v_number  integer;
begin
  insert into auth.users (id, email, email_confirmed_at) values ('01900000-0000-7000-8000-00000000c101', 'alone@example.com', now());
  foreach v_company in array array['a', 'b'] loop
    v_id := ('01900000-0000-7000-8000-00000000' || v_company || '000')::uuid;
    for v_number in 1 .. cardinality(v_roles) loop
      insert into auth.users (id, email, email_confirmed_at)
      values (('01900000-0000-7000-8000-00000000' || v_company || '10' || v_number)::uuid,
              v_roles[v_number] || '.' || v_company || '@example.com', now());
    end loop;
    insert into public.companies (id, name, slug, owner_id)
    values (v_id, 'Company ' || v_company, 'company-' || v_company, ('01900000-0000-7000-8000-00000000' || v_company || '101')::uuid);
    insert into public.departments (company_id, id, name)
    values (v_id, ('01900000-0000-7000-8000-00000000' || v_company || '201')::uuid, 'Office');
    insert into public.custom_roles (company_id, id, name, permissions)
    values (v_id, ('01900000-0000-7000-8000-00000000' || v_company || '301')::uuid, 'Seller', '{}');
    for v_number in 1 .. cardinality(v_roles) loop
      v_user := ('01900000-0000-7000-8000-00000000' || v_company || '10' || v_number)::uuid;
      insert into public.team_members (company_id, id, user_id, role, department_id)
      values (v_id, ('01900000-0000-7000-8000-00000000' || v_company || '40' || v_number)::uuid, v_user, v_roles[v_number],
              ('01900000-0000-7000-8000-00000000' || v_company || '201')::uuid);
      insert into auth.sessions (user_id, active_company_id) values (v_user, v_id);
      insert into auth.identities (user_id, provider, provider_id) values (v_user, 'email', v_user::text);
    end loop;
    insert into public.invitations (company_id, id, email, role, role_id, department_id, token_hash)
    values (v_id, ('01900000-0000-7000-8000-00000000' || v_company || '501')::uuid, 'guest.' || v_company || '@example.com', 'member',
            ('01900000-0000-7000-8000-00000000' || v_company || '301')::uuid,
            ('01900000-0000-7000-8000-00000000' || v_company || '201')::uuid, encode(sha256(v_company::bytea), 'hex'));
    insert into public.role_change_log (company_id, user_id, old_role, new_role) values (v_id, v_user, 'member', 'viewer');
    insert into public.ownership_transfers (company_id, from_user_id, to_user_id) values (v_id, v_user, v_user);
    insert into public.customers (company_id, id, first_name, last_name)
    select v_id, ('01900000-0000-7000-8000-00000000' || v_company || '60' || n)::uuid, 'Customer', n::text from generate_series(1, 2) n;
    insert into public.properties (company_id, id, customer_id, name, address, city, state, zip_code)
    select v_id, ('01900000-0000-7000-8000-00000000' || v_company || '70' || n)::uuid,
           ('01900000-0000-7000-8000-00000000' || v_company || '60' || n)::uuid, 'Home', '1 Main Street', 'Springfield', 'IL', '62701'
      from generate_series(1, 2) n;
    -- One job of nobody, one of each member.
    insert into public.jobs (company_id, id, customer_id, assigned_to, title)
    select v_id, ('01900000-0000-7000-8000-00000000' || v_company || '80' || n)::uuid,
           ('01900000-0000-7000-8000-00000000' || v_company || '601')::uuid,
           case when n > 0 then ('01900000-0000-7000-8000-00000000' || v_company || '10' || n)::uuid end, 'Job ' || n
      from generate_series(0, cardinality(v_roles)) n;
  end loop;
  insert into app.backfills (version, table_name, statement, rows_done, batches, started_at, updated_at)
  values ('20260101000000', 'public.jobs', 'select 1', 1, 1, now(), now());
end $$;
