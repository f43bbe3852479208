-- What the documents' schedules call, by their names: each puts in a task. For the service.

create or replace function public.generate_customer_report(company_id uuid) returns uuid
  language sql volatile security definer
  set search_path = ''
  return app.enqueue_task('company_report', '{"report": "customers"}', $1, p_unique_key => 'customers');
comment on function public.generate_customer_report(uuid) is 'Has the report of a company''s customers mailed to whoever may read reports; returns the task.';
alter function public.generate_customer_report(uuid) owner to app_definer;
revoke all on function public.generate_customer_report(uuid) from public;
grant execute on function public.generate_customer_report(uuid) to service_role;

create or replace function public.send_invoice_reminder(invoice_id uuid) returns uuid
  language sql volatile security definer
  set search_path = ''
as $$
  select app.enqueue_task('invoice_reminder', jsonb_build_object('invoice_id', i.id), i.company_id, p_unique_key => i.id::text)
    from public.invoices i where i.id = $1 and i.company_id = coalesce(app.company_id(), i.company_id)
$$;
comment on function public.send_invoice_reminder(uuid) is
  'Has the customer reminded of an overdue invoice, once in 24 hours at most; returns the task, or nothing where there is no such invoice.';
alter function public.send_invoice_reminder(uuid) owner to app_definer;
revoke all on function public.send_invoice_reminder(uuid) from public;
grant execute on function public.send_invoice_reminder(uuid) to service_role;
