-- What a customer sees in the portal of his company, and what he does not: the first customer has a session, and things that were
-- shown to him beside a draft; the second has a job, and the customer of the money has the rest.

do $$
declare
  v_letter   text;
  v_company  uuid;
  v_canary   text;
  v_customer uuid;
  v_line     jsonb;
begin
  foreach v_letter in array array['a', 'b'] loop
    v_company := proof.id(v_letter, '000');
    v_canary := 'canary-' || v_letter;
    v_customer := proof.id(v_letter, '601');
    v_line := jsonb_build_object('description', v_canary, 'quantity', 1, 'unit_price', 900);
    update public.customers set portal_enabled = true where company_id = v_company and id = v_customer;
    insert into auth.portal_sessions (company_id, id, customer_id, token_hash, opened_at, expires_at, user_agent)
    values (v_company, proof.id(v_letter, 'f01'), v_customer, repeat(v_letter, 64), now(), now() + interval '1 day', v_canary),
           (v_company, proof.id('c', 'f02'), v_customer, repeat('c', 64), now(), now() + interval '1 day', v_canary);
    insert into public.jobs (company_id, id, customer_id, title, notes)
    values (v_company, proof.id(v_letter, '80a'), proof.id(v_letter, '602'), 'Another''s', v_canary);
    insert into public.estimates (company_id, id, customer_id, status, notes, line_items)
    values (v_company, proof.id(v_letter, 'd04'), v_customer, 'sent', v_canary,
            jsonb_build_array(v_line || jsonb_build_object('id', proof.id(v_letter, 'd84')))),
           (v_company, proof.id(v_letter, 'd05'), v_customer, 'draft', v_canary, '[]');
    insert into public.invoices (company_id, id, customer_id, status, notes, line_items)
    values (v_company, proof.id(v_letter, 'd24'), v_customer, 'sent', v_canary,
            jsonb_build_array(v_line || jsonb_build_object('id', proof.id(v_letter, 'd94')))),
           (v_company, proof.id(v_letter, 'd25'), v_customer, 'draft', v_canary, '[]');
    insert into public.payments (company_id, id, customer_id, amount, payment_method, status, created_by, notes)
    values (v_company, proof.id(v_letter, 'd54'), v_customer, 700, 'cash', 'completed', proof.id(v_letter, '104'), v_canary);
    insert into public.contracts (company_id, id, customer_id, estimate_id, title, content, status)
    values (v_company, proof.id(v_letter, 'd74'), v_customer, proof.id(v_letter, 'd04'), 'Care', v_canary, 'sent'),
           (v_company, proof.id(v_letter, 'd75'), v_customer, proof.id(v_letter, 'd04'), 'Care', v_canary, 'draft');
    insert into public.communications (company_id, id, customer_id, type, to_address, body, status)
    values (v_company, proof.id(v_letter, 'e06'), v_customer, 'email', 'x@example.com', v_canary, 'sent');
    insert into public.schedules (company_id, id, customer_id, title, start_time, end_time, notes)
    values (v_company, proof.id(v_letter, 'bb9'), proof.id(v_letter, '602'), 'Another''s', '2031-03-02 10:00+00', '2031-03-02 11:00+00', v_canary);
    insert into public.public_links (company_id, id, purpose, token_hash, invoice_id, last_used_at, use_count, uses_max)
    values (v_company, proof.id(v_letter, 'f11'), 'view_invoice', repeat(v_letter, 63) || '1', proof.id(v_letter, 'd24'), now() + interval '1 day', 1, 2);
    insert into public.public_links (company_id, id, purpose, token_hash, estimate_id, uses_max)
    values (v_company, proof.id(v_letter, 'f12'), 'accept_estimate', repeat(v_letter, 63) || '2', proof.id(v_letter, 'd04'), 2);
    -- Files of what they see, of a draft, of another customer's, and one that is internal.
    insert into public.attachments (company_id, id, uploaded_by, entity_type, entity_id, file_name, original_file_name, mime_type, storage_path,
                                    description, is_internal)
    select v_company, proof.id(case when n = 5 then 'c' else v_letter end, 'e1' || n), null, t, proof.id(v_letter, i), 'photo.jpg', 'photo.jpg',
           'image/jpeg', v_letter || '/g' || n, v_canary, n = 3
      from (values (0, 'invoice', 'd24'), (1, 'estimate', 'd04'), (2, 'invoice', 'd25'), (3, 'invoice', 'd24'), (4, 'contract', 'd74'),
                   (5, 'job', '80a'), (6, 'payment', 'd54')) f (n, t, i);
    insert into public.file_storage (company_id, id, uploaded_by, filename, original_filename, mime_type, file_size, storage_path, category,
                                     entity_type, entity_id, is_public)
    select v_company, proof.id(v_letter, 'e1' || n), null, 'photo.jpg', 'photo.jpg', 'image/jpeg', 1, v_letter || '/g' || n, v_canary,
           t, proof.id(v_letter, i), n = 0
      from (values (0, 'invoice', 'd24'), (1, 'estimate', 'd04'), (2, 'job', '805')) f (n, t, i);
  end loop;
end $$;
