-- Two companies with rows in every table, a person for every role, and one person in no company.
-- Ids tell what they are: ...-00000000<company><kind><number>; those with <company> c belong to nobody, or live in both companies at once.
-- The words canary-a and canary-b stand in the rows of the one company and of the other.

create schema proof;

-- The id of something: of company a or b, or c for what lives in both; kind and number have three digits.
create function proof.id(p_letter text, p_number text) returns uuid language sql immutable set search_path = ''
  return ('01900000-0000-7000-8000-00000000' || p_letter || p_number)::uuid;

do $$
declare
  v_roles constant text[] := array['owner', 'admin', 'manager', 'dispatcher', 'technician', 'csr', 'member', 'viewer'];
  v_head  constant text := '01900000-0000-7000-8000-00000000';
  v_letter  text;
  v_company uuid;
  v_canary  text;
  v_user    uuid;
  v_number  integer;
begin
  insert into auth.users (id, email, email_confirmed_at, email_proved_at) values ((v_head || 'c101')::uuid, 'alone@alone.example', now(), now());
  foreach v_letter in array array['a', 'b'] loop
    v_company := (v_head || v_letter || '000')::uuid;
    v_canary := 'canary-' || v_letter;
    for v_number in 1 .. cardinality(v_roles) loop
      insert into auth.users (id, email, email_confirmed_at, raw_app_meta_data)
      values ((v_head || v_letter || '10' || v_number)::uuid, v_roles[v_number] || '.' || v_letter || '@example.com', now(),
              jsonb_build_object('note', v_canary));
    end loop;
    update public.users set bio = v_canary where email like '%.' || v_letter || '@example.com';
    insert into public.companies (id, name, slug, owner_id, max_seats, legal_name)
    values (v_company, 'Company ' || v_letter, 'company-' || v_letter, (v_head || v_letter || '101')::uuid, 50, v_canary);
    insert into public.departments (company_id, id, name, description)
    values (v_company, (v_head || v_letter || '201')::uuid, 'Office', v_canary),
           (v_company, (v_head || 'c201')::uuid, 'Empty', v_canary);
    insert into public.custom_roles (company_id, id, name, permissions, description)
    values (v_company, (v_head || v_letter || '301')::uuid, 'Seller', '{"jobs:amend": true}', v_canary),
           (v_company, (v_head || 'c301')::uuid, 'Buyer', '{}', v_canary);
    for v_number in 1 .. cardinality(v_roles) loop
      v_user := (v_head || v_letter || '10' || v_number)::uuid;
      insert into public.team_members (company_id, id, user_id, role, department_id, job_title)
      values (v_company, (v_head || case when v_roles[v_number] = 'viewer' then 'c' else v_letter end || '40' || v_number)::uuid, v_user,
              v_roles[v_number], (v_head || v_letter || '201')::uuid, v_canary);
      insert into auth.sessions (user_id, active_company_id, user_agent) values (v_user, v_company, v_canary);
      insert into auth.identities (user_id, provider, provider_id, identity_data)
      values (v_user, 'email', v_user::text, jsonb_build_object('note', v_canary));
      insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, secret) values (v_user, v_user, v_canary, 'totp', v_canary);
      insert into auth.mfa_challenges (factor_id, expires_at) values (v_user, now() + interval '1 hour');
      insert into auth.recovery_codes (factor_id, code_hash) values (v_user, encode(sha256(v_canary::bytea), 'hex'));
      insert into auth.passkeys (id, user_id, credential_id, credential, friendly_name)
      values (v_user, v_user, decode(replace(v_user::text, '-', ''), 'hex'), jsonb_build_object('note', v_canary), v_canary);
      insert into auth.passkey_challenges (user_id, ceremony, created_at, expires_at)
      values (v_user, jsonb_build_object('note', v_canary), now(), now() + interval '1 hour');
    end loop;
    insert into public.invitations (company_id, id, email, name, role, role_id, department_id, token_hash)
    values (v_company, (v_head || v_letter || '501')::uuid, 'guest.' || v_letter || '@example.com', v_canary, 'member',
            (v_head || v_letter || '301')::uuid, (v_head || v_letter || '201')::uuid, encode(sha256(v_letter::bytea), 'hex')),
           (v_company, (v_head || 'c501')::uuid, 'alone@alone.example', v_canary, 'member',
            null, null, encode(sha256((v_letter || ' invites')::bytea), 'hex'));
    insert into public.company_domains (company_id, id, domain, proof, join_mode, join_role, verified_at, verified_by)
    values (v_company, (v_head || v_letter || 'f91')::uuid, v_canary || '.example', md5(v_canary), 'request', 'member', now(), 'operator'),
           (v_company, (v_head || 'cf91')::uuid, case v_letter when 'a' then 'alone.example' else v_canary || '.test' end, md5(v_canary || '2'),
            case v_letter when 'a' then 'join' else 'nobody' end, 'viewer', now(), 'dns');
    insert into public.role_change_log (company_id, id, user_id, old_role, new_role, reason)
    values (v_company, (v_head || v_letter || '901')::uuid, v_user, 'member', 'viewer', v_canary),
           (v_company, (v_head || 'c901')::uuid, v_user, 'viewer', 'member', v_canary);
    insert into public.ownership_transfers (company_id, id, from_user_id, to_user_id, reason)
    values (v_company, (v_head || v_letter || 'a01')::uuid, v_user, v_user, v_canary),
           (v_company, (v_head || 'ca01')::uuid, v_user, v_user, v_canary);
    insert into public.customers (company_id, id, first_name, last_name, email, notes)
    select v_company, (v_head || case when n = 3 then 'c' else v_letter end || '60' || n)::uuid, 'Customer', n::text,
           'customer' || n || '@example.com', v_canary
      from generate_series(1, 3) n;
    insert into public.properties (company_id, id, customer_id, name, address, city, state, zip_code, notes)
    select v_company, (v_head || case when n = 3 then 'c' else v_letter end || '70' || n)::uuid,
           (v_head || case when n = 3 then 'c' else v_letter end || '60' || n)::uuid, 'Home', '1 Main Street', 'Springfield', 'IL', '62701',
           v_canary
      from generate_series(1, 3) n;
    -- One job of nobody, one of each member, and one that lives in both companies.
    insert into public.jobs (company_id, id, customer_id, property_id, assigned_to, title, notes)
    select v_company, (v_head || case when n = 9 then 'c' else v_letter end || '80' || n)::uuid,
           (v_head || v_letter || '601')::uuid, case when n < 3 then (v_head || v_letter || '701')::uuid end,
           case when n between 1 and 8 then (v_head || v_letter || '10' || n)::uuid end, 'Job ' || n, v_canary
      from generate_series(0, cardinality(v_roles) + 1) n;
  end loop;
  insert into app.backfills (version, table_name, statement, rows_done, batches, started_at, updated_at)
  values ('20260101000000', 'public.jobs', 'select 1', 1, 1, now(), now());
end $$;
