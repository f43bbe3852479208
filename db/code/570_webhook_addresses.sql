-- Where alone the receiver of a webhook may be. Invariant: a list that is written is one that the server can read: addresses and networks,
-- whole; what it could not read would let nobody in.

create or replace function app.guard_webhook_addresses() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_text text;
begin
  foreach v_text in array new.ip_whitelist loop
    begin
      -- PostgreSQL takes 10.1 for 10.1.0.0, which others do not.
      if v_text is null or v_text !~ '^([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)(/[0-9]{1,3})?$' then
        raise invalid_text_representation;
      end if;
      perform v_text::inet;
    exception when invalid_text_representation then
      raise exception using errcode = 'TH422', constraint = 'webhook_addresses_invalid',
        message = format('"%s" in ip_whitelist is neither an address nor a network.', left(coalesce(v_text, ''), 60)),
        hint = 'Such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32; an empty list is no limit.';
    end;
  end loop;
  return new;
end $$;
revoke all on function app.guard_webhook_addresses() from public;
create or replace trigger guard_addresses before insert or update of ip_whitelist on public.webhooks
  for each row when (new.ip_whitelist <> '{}') execute function app.guard_webhook_addresses();
