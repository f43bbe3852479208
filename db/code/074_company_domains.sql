-- Companies that people join by their address: a domain is added, proved, and then whoever proved an address of it asks or joins.
-- Invariants: a verified domain is one company's; a domain whose mailboxes anybody gets is nobody's; who joins gets a role that whoever
-- chose it could give, and a seat.

create or replace function app.is_public_mail_domain(p_domain text) returns boolean
  language sql immutable parallel safe
  set search_path = ''
as $$
  select p_domain = any (array[
    'gmail.com', 'googlemail.com', 'outlook.com', 'outlook.de', 'outlook.fr', 'outlook.es', 'hotmail.com', 'hotmail.co.uk', 'hotmail.fr',
    'hotmail.de', 'hotmail.es', 'hotmail.it', 'live.com', 'live.co.uk', 'live.fr', 'live.nl', 'msn.com', 'passport.com', 'yahoo.com',
    'yahoo.co.uk', 'yahoo.fr', 'yahoo.de', 'yahoo.es', 'yahoo.it', 'yahoo.ca', 'yahoo.co.in', 'yahoo.in', 'yahoo.com.br', 'yahoo.com.mx',
    'yahoo.com.au', 'yahoo.co.jp', 'ymail.com', 'rocketmail.com', 'myyahoo.com', 'aol.com', 'aol.co.uk', 'aim.com', 'verizon.net', 'icloud.com',
    'me.com', 'mac.com', 'proton.me', 'protonmail.com', 'protonmail.ch', 'pm.me', 'tutanota.com', 'tutanota.de', 'tuta.com', 'tuta.io',
    'tutamail.com', 'keemail.me', 'gmx.com', 'gmx.net', 'gmx.de', 'gmx.at', 'gmx.ch', 'gmx.us', 'web.de', 'freenet.de', 't-online.de', 'mail.com',
    'email.com', 'usa.com', 'consultant.com', 'engineer.com', 'mail.ru', 'bk.ru', 'inbox.ru', 'list.ru', 'internet.ru', 'yandex.ru',
    'yandex.com', 'ya.ru', 'rambler.ru', 'zoho.com', 'zohomail.com', 'zohomail.eu', 'fastmail.com', 'fastmail.fm', 'hey.com', 'hushmail.com',
    'comcast.net', 'xfinity.com', 'att.net', 'sbcglobal.net', 'bellsouth.net', 'ameritech.net', 'pacbell.net', 'cox.net', 'charter.net',
    'spectrum.net', 'roadrunner.com', 'rr.com', 'earthlink.net', 'frontier.com', 'frontiernet.net', 'windstream.net', 'centurylink.net',
    'centurytel.net', 'q.com', 'optonline.net', 'optimum.net', 'juno.com', 'netzero.net', 'netzero.com', 'shaw.ca', 'rogers.com', 'telus.net',
    'bell.net', 'sympatico.ca', 'videotron.ca', 'btinternet.com', 'btopenworld.com', 'sky.com', 'virginmedia.com', 'ntlworld.com',
    'talktalk.net', 'blueyonder.co.uk', 'orange.fr', 'wanadoo.fr', 'free.fr', 'laposte.net', 'sfr.fr', 'neuf.fr', 'libero.it', 'virgilio.it',
    'tiscali.it', 'alice.it', 'tin.it', 'telefonica.net', 'terra.es', 'terra.com.br', 'uol.com.br', 'bol.com.br', 'ig.com.br', 'globo.com',
    'prodigy.net.mx', 'bigpond.com', 'bigpond.net.au', 'optusnet.com.au', 'xtra.co.nz', 'ziggo.nl', 'kpnmail.nl', 'planet.nl', 'home.nl',
    'telenet.be', 'skynet.be', 'bluewin.ch', 'wp.pl', 'o2.pl', 'onet.pl', 'interia.pl', 'gazeta.pl', 'seznam.cz', 'centrum.cz', 'abv.bg',
    'ukr.net', 'i.ua', 'walla.co.il', 'rediffmail.com', 'naver.com', 'hanmail.net', 'daum.net', 'nate.com', 'qq.com', 'foxmail.com', '163.com',
    '126.com', 'yeah.net', 'sina.com', 'sina.cn', 'sohu.com', 'aliyun.com', 'docomo.ne.jp', 'ezweb.ne.jp', 'softbank.ne.jp', 'mailinator.com',
    'guerrillamail.com', '10minutemail.com', 'yopmail.com', 'trashmail.com', 'temp-mail.org', 'sharklasers.com', 'duck.com', 'simplelogin.com',
    'relay.firefox.com', 'mozmail.com', 'privaterelay.appleid.com'])
$$;
revoke all on function app.is_public_mail_domain(text) from public;
grant execute on function app.is_public_mail_domain(text) to authenticated, service_role, app_definer;

create or replace function app.guard_company_domain() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_max integer;
begin
  if tg_op = 'INSERT' then
    new.domain := lower(btrim(btrim(new.domain), '.'));
    if app.is_public_mail_domain(new.domain) then
      raise exception using errcode = 'TH422', constraint = 'domain_public', message = 'Anybody gets an address of this domain.',
        hint = 'Add the domain that is your company''s own.';
    end if;
    select r.domains_max into v_max from app.company_rules r;
    perform from public.companies c where c.id = new.company_id for no key update;
    if (select count(*) from public.company_domains d where d.company_id = new.company_id) >= v_max then
      raise exception using errcode = 'TH409', constraint = 'domains_exhausted', message = format('A company has at most %s domains.', v_max);
    end if;
  end if;
  -- Of whoever may not write here at all the policy speaks.
  if current_setting('role') = 'authenticated' and (tg_op = 'INSERT' or new.join_role is distinct from old.join_role)
     and app.has_permission(case tg_op when 'INSERT' then 'company_domains:create' else 'company_domains:update' end) then
    perform app.check_grantable('', app.effective_permissions(new.company_id, new.join_role, null, '{}'));
  end if;
  return new;
end $$;
alter function app.guard_company_domain() owner to app_definer;
revoke all on function app.guard_company_domain() from public;
create or replace trigger guard before insert or update on public.company_domains
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_company_domain();

-- Notes that the record is asked for now, and says what it has to say. Not again within some seconds.
create or replace function app.begin_domain_check(p_user_id uuid, p_session_id uuid, p_company_id uuid, p_id uuid)
  returns public.company_domains
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row public.company_domains;
begin
  perform app.act_for(p_user_id, p_session_id, p_company_id, 'company_domains:update');
  select * into v_row from public.company_domains d where d.company_id = app.company_id() and d.id = p_id for no key update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'domain_not_found', message = 'The company has no such domain.';
  end if;
  if v_row.verified_at is null and v_row.checked_at > now() - interval '5 seconds' then
    raise exception using errcode = 'TH429', constraint = 'domain_checked_recently', message = 'The record was asked for a moment ago.';
  end if;
  update public.company_domains d set checked_at = now() where d.company_id = v_row.company_id and d.id = v_row.id
  returning * into v_row;
  return v_row;
end $$;
alter function app.begin_domain_check(uuid, uuid, uuid, uuid) owner to app_definer;
revoke all on function app.begin_domain_check(uuid, uuid, uuid, uuid) from public;
grant execute on function app.begin_domain_check(uuid, uuid, uuid, uuid) to service_role;

create or replace function app.settle_domain(p_company_id uuid, p_id uuid, p_by text, p_proof text) returns public.company_domains
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row public.company_domains;
begin
  update public.company_domains d
     set verified_at = coalesce(d.verified_at, now()), verified_by = coalesce(d.verified_by, p_by)
   where d.company_id = p_company_id and d.id = p_id and (p_proof is null or d.proof = p_proof)
     and d.company_id = coalesce(app.company_id(), d.company_id)
  returning * into v_row;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'domain_not_found', message = 'The company has no such domain.';
  end if;
  return v_row;
exception when unique_violation then
  raise exception using errcode = 'TH409', constraint = 'domain_taken', message = 'Another company has proved that this domain is its own.',
    hint = 'Ask the operator of this service, if it is yours.';
end $$;
alter function app.settle_domain(uuid, uuid, text, text) owner to app_definer;
revoke all on function app.settle_domain(uuid, uuid, text, text) from public;

-- For the server, which found the record.
create or replace function app.confirm_domain(p_user_id uuid, p_session_id uuid, p_company_id uuid, p_id uuid, p_proof text)
  returns public.company_domains
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  perform app.act_for(p_user_id, p_session_id, p_company_id, 'company_domains:update');
  return app.settle_domain(p_company_id, p_id, 'dns', p_proof);
end $$;
alter function app.confirm_domain(uuid, uuid, uuid, uuid, text) owner to app_definer;
revoke all on function app.confirm_domain(uuid, uuid, uuid, uuid, text) from public;
grant execute on function app.confirm_domain(uuid, uuid, uuid, uuid, text) to service_role;

create or replace function public.verify_company_domain(company_id uuid, domain_id uuid) returns public.company_domains
  language sql volatile security definer
  set search_path = ''
as $$
  select * from app.settle_domain(verify_company_domain.company_id, verify_company_domain.domain_id, 'operator', null)
$$;
alter function public.verify_company_domain(uuid, uuid) owner to app_definer;
revoke all on function public.verify_company_domain(uuid, uuid) from public;
grant execute on function public.verify_company_domain(uuid, uuid) to service_role;
comment on function public.verify_company_domain(uuid, uuid) is 'Says for the operator that a domain is the company''s own.';

-- The domain of an address that a person proved to be his; null without one. That an address counts as confirmed is not enough: where
-- addresses are believed it may be anybody's.
drop function if exists app.confirmed_domain(uuid);
create or replace function app.proved_domain(p_user_id uuid) returns text
  language sql stable security definer
  set search_path = ''
as $$
  select split_part(u.email_key, '@', 2) from auth.users u
   where u.id = p_user_id and u.email_proved_at is not null and u.deleted_at is null
$$;
alter function app.proved_domain(uuid) owner to app_definer;
revoke all on function app.proved_domain(uuid) from public;

create or replace function public.joinable_companies()
  returns table (id uuid, name text, logo text, domain text, join_mode text)
  language sql stable security definer
  set search_path = ''
as $$
  select c.id, c.name, c.logo, d.domain, d.join_mode
    from public.company_domains d
    join public.companies c on c.id = d.company_id
   where d.domain = app.proved_domain(auth.uid()) and d.verified_at is not null and d.join_mode <> 'nobody'
     and c.deleted_at is null and c.archived_at is null and c.suspended_at is null
     and not exists (select from public.team_members m where m.company_id = c.id and m.user_id = auth.uid());
$$;
alter function public.joinable_companies() owner to app_definer;
revoke all on function public.joinable_companies() from public;
grant execute on function public.joinable_companies() to authenticated;
comment on function public.joinable_companies() is 'The company that the address which the caller proved lets him join, or ask to join.';

create or replace function public.join_company(company_id uuid) returns public.team_members
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_user   uuid := app.caller();
  v_domain public.company_domains;
  v_status text;
  v_member public.team_members;
begin
  select d.* into v_domain from public.company_domains d join public.companies c on c.id = d.company_id
   where d.company_id = join_company.company_id and d.domain = app.proved_domain(v_user)
     and d.verified_at is not null and d.join_mode <> 'nobody'
     and c.deleted_at is null and c.archived_at is null and c.suspended_at is null
     for share of d;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'company_not_joinable',
      message = 'Your address lets you join no such company.',
      hint = 'joinable_companies() lists what an address that you proved lets you join: sign in once with a link or code that is mailed to it.';
  end if;
  if exists (select from public.team_members m where m.company_id = v_domain.company_id and m.user_id = v_user) then
    raise exception using errcode = 'TH409', constraint = 'already_member', message = 'You are a member already, or asked to be one.';
  end if;
  -- Whoever was removed asks, where others just join.
  v_status := case when v_domain.join_mode = 'join' and not app.was_removed(v_domain.company_id, v_user) then 'active' else 'requested' end;
  if v_status = 'active' then
    perform app.take_seat(v_domain.company_id, false);
  end if;
  insert into public.team_members (company_id, user_id, role, status, joined_at)
  values (v_domain.company_id, v_user, v_domain.join_role, v_status, case v_status when 'active' then now() end)
  returning * into v_member;
  if v_member.status = 'active' then
    perform app.activate_if_none(v_member.company_id, v_user, (auth.jwt() ->> 'session_id')::uuid);
  end if;
  return v_member;
end $$;
alter function public.join_company(uuid) owner to app_definer;
revoke all on function public.join_company(uuid) from public;
grant execute on function public.join_company(uuid) to authenticated;
comment on function public.join_company(uuid) is 'Makes the caller a member of the company that his address belongs to, or asks for it.';
