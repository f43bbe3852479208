-- Estimates, invoices, payments, contracts, of a customer of their own: drafts, an issued invoice, money for it, and money
-- for no invoice yet. The job 805 is the technician's, 801 is not.

do $$
declare
  v_letter   text;
  v_company  uuid;
  v_canary   text;
  v_tech     uuid;
  v_office   uuid;
  v_customer uuid;
begin
  foreach v_letter in array array['a', 'b'] loop
    v_company := proof.id(v_letter, '000');
    v_canary := 'canary-' || v_letter;
    v_tech := proof.id(v_letter, '105');
    v_office := proof.id(v_letter, '104');
    v_customer := proof.id(v_letter, '6a1');
    insert into public.customers (company_id, id, first_name, last_name, email, notes)
    values (v_company, v_customer, 'Mona', 'Money', 'mona@example.com', v_canary);

    insert into public.estimates (company_id, id, customer_id, job_id, notes)
    values (v_company, proof.id(v_letter, 'd01'), v_customer, proof.id(v_letter, '805'), v_canary),
           (v_company, proof.id(v_letter, 'd02'), v_customer, proof.id(v_letter, '801'), v_canary),
           (v_company, proof.id('c', 'd01'), v_customer, null, v_canary);
    insert into public.estimate_options (company_id, id, estimate_id, name)
    values (v_company, proof.id(v_letter, 'd11'), proof.id(v_letter, 'd01'), v_canary),
           (v_company, proof.id(v_letter, 'd12'), proof.id(v_letter, 'd02'), v_canary),
           (v_company, proof.id('c', 'd11'), proof.id(v_letter, 'd02'), v_canary);
    insert into public.estimate_line_items (company_id, id, estimate_id, description, quantity, unit_price)
    values (v_company, proof.id(v_letter, 'd81'), proof.id(v_letter, 'd01'), v_canary, 2, 500),
           (v_company, proof.id(v_letter, 'd82'), proof.id(v_letter, 'd02'), v_canary, 1, 700),
           (v_company, proof.id('c', 'd81'), proof.id(v_letter, 'd02'), v_canary, 3, 100);
    insert into public.estimate_jobs (company_id, estimate_id, job_id)
    values (v_company, proof.id(v_letter, 'd01'), proof.id(v_letter, '805')),
           (v_company, proof.id(v_letter, 'd02'), proof.id(v_letter, '801'));

    insert into public.invoices (company_id, id, customer_id, job_id, estimate_id, notes)
    values (v_company, proof.id(v_letter, 'd21'), v_customer, proof.id(v_letter, '805'), proof.id(v_letter, 'd01'), v_canary),
           (v_company, proof.id(v_letter, 'd22'), v_customer, proof.id(v_letter, '801'), null, v_canary),
           (v_company, proof.id('c', 'd21'), v_customer, null, null, v_canary);
    -- Issued already: a member's would begin as a draft.
    insert into public.invoices (company_id, id, customer_id, job_id, status, notes, line_items)
    values (v_company, proof.id(v_letter, 'd23'), v_customer, proof.id(v_letter, '805'), 'sent', v_canary,
            jsonb_build_array(jsonb_build_object('id', proof.id(v_letter, 'd93'), 'description', v_canary,
                                                 'quantity', 10, 'unit_price', 10000)));
    insert into public.invoice_line_items (company_id, id, invoice_id, description, quantity, unit_price)
    values (v_company, proof.id(v_letter, 'd91'), proof.id(v_letter, 'd21'), v_canary, 2, 500),
           (v_company, proof.id(v_letter, 'd92'), proof.id(v_letter, 'd22'), v_canary, 1, 700),
           (v_company, proof.id('c', 'd91'), proof.id(v_letter, 'd22'), v_canary, 3, 100);
    insert into public.invoice_jobs (company_id, invoice_id, job_id, amount_from_job)
    values (v_company, proof.id(v_letter, 'd21'), proof.id(v_letter, '805'), 1000),
           (v_company, proof.id(v_letter, 'd22'), proof.id(v_letter, '801'), 700);
    insert into public.credit_notes (company_id, id, invoice_id, customer_id, amount, reason)
    values (v_company, proof.id(v_letter, 'd31'), proof.id(v_letter, 'd23'), v_customer, 100, v_canary),
           (v_company, proof.id('c', 'd31'), proof.id(v_letter, 'd23'), v_customer, 200, v_canary);

    insert into public.payment_methods (company_id, id, customer_id, holder_name, last4)
    values (v_company, proof.id(v_letter, 'd41'), v_customer, v_canary, '4242'),
           (v_company, proof.id('c', 'd41'), v_customer, v_canary, '1881');
    insert into public.payments (company_id, id, customer_id, invoice_id, amount, payment_method, status, created_by, notes)
    values (v_company, proof.id(v_letter, 'd51'), v_customer, proof.id(v_letter, 'd23'), 300, 'cash', 'completed', v_tech,
            v_canary),
           (v_company, proof.id(v_letter, 'd52'), v_customer, proof.id(v_letter, 'd23'), 400, 'check', 'pending', v_office,
            v_canary),
           (v_company, proof.id(v_letter, 'd53'), v_customer, null, 500, 'ach', 'completed', null, v_canary),
           (v_company, proof.id('c', 'd51'), v_customer, null, 600, 'cash', 'completed', null, v_canary);
    insert into public.payment_allocations (company_id, id, payment_id, invoice_id, amount_applied, notes)
    values (v_company, proof.id(v_letter, 'd61'), proof.id(v_letter, 'd53'), proof.id(v_letter, 'd23'), 100, v_canary),
           (v_company, proof.id('c', 'd61'), proof.id('c', 'd51'), proof.id(v_letter, 'd23'), 100, v_canary);
    insert into public.contracts (company_id, id, customer_id, job_id, estimate_id, invoice_id, title, content)
    values (v_company, proof.id(v_letter, 'd71'), v_customer, proof.id(v_letter, '805'), proof.id(v_letter, 'd01'),
            proof.id(v_letter, 'd21'), 'Care', v_canary),
           (v_company, proof.id(v_letter, 'd72'), v_customer, proof.id(v_letter, '801'), proof.id(v_letter, 'd02'),
            proof.id(v_letter, 'd22'), 'Repair', v_canary),
           (v_company, proof.id('c', 'd71'), v_customer, null, proof.id(v_letter, 'd01'), proof.id(v_letter, 'd21'), 'Terms',
            v_canary);
  end loop;
end $$;
