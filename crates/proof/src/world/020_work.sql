-- Field work: settings, plans, equipment, teams, schedules, time, requests, forms, notes, labels.

do $$
declare
  v_letter   text;
  v_company  uuid;
  v_canary   text;
  v_tech     uuid;
  v_office   uuid;
  v_customer uuid;
  v_property uuid;
  v_day      constant timestamptz := date_trunc('day', now()) + interval '30 days';
begin
  foreach v_letter in array array['a', 'b'] loop
    v_company := proof.id(v_letter, '000');
    v_canary := 'canary-' || v_letter;
    v_tech := proof.id(v_letter, '105');
    v_office := proof.id(v_letter, '104');
    v_customer := proof.id(v_letter, '601');
    v_property := proof.id(v_letter, '701');

    insert into public.company_settings (company_id, id, address) values (v_company, proof.id('c', '001'), v_canary);
    insert into public.company_holidays (company_id, id, name, holiday_date)
    values (v_company, proof.id(v_letter, 'b01'), v_canary, '2026-12-25'), (v_company, proof.id('c', 'b01'), 'New Year', '2027-01-01');
    insert into public.zones (company_id, id, name, description)
    values (v_company, proof.id(v_letter, 'b11'), 'North', v_canary), (v_company, proof.id('c', 'b11'), 'South', v_canary);
    insert into public.skills (company_id, id, name, description)
    values (v_company, proof.id(v_letter, 'b21'), 'Gas', v_canary), (v_company, proof.id('c', 'b21'), 'Drains', v_canary);
    insert into public.member_skills (company_id, user_id, skill_id, certificate_number)
    values (v_company, v_tech, proof.id(v_letter, 'b21'), v_canary);
    insert into public.member_zones (company_id, user_id, zone_id, notes) values (v_company, v_tech, proof.id(v_letter, 'b11'), v_canary);
    insert into public.custom_fields (company_id, id, entity_type, name, field_key, help_text)
    values (v_company, proof.id(v_letter, 'b31'), 'customer', 'Gate code', 'gate_code', v_canary),
           (v_company, proof.id('c', 'b31'), 'job', 'Permit', 'permit', v_canary);
    insert into public.custom_field_values (company_id, id, custom_field_id, entity_id, value)
    values (v_company, proof.id(v_letter, 'b41'), proof.id(v_letter, 'b31'), v_customer, to_jsonb(v_canary)),
           (v_company, proof.id('c', 'b41'), proof.id('c', 'b31'), proof.id(v_letter, '805'), '"1"');

    insert into public.customer_contacts (company_id, id, customer_id, first_name, notes)
    values (v_company, proof.id(v_letter, 'b51'), v_customer, 'Cora', v_canary), (v_company, proof.id('c', 'b51'), v_customer, 'Carl', v_canary);
    insert into public.customer_addresses (company_id, id, customer_id, label, address, city, state, zip_code)
    values (v_company, proof.id(v_letter, 'b61'), v_customer, 'Billing', v_canary, 'Springfield', 'IL', '62701'),
           (v_company, proof.id('c', 'b61'), v_customer, 'Mail', '2 Main Street', 'Springfield', 'IL', '62701');
    insert into public.service_plans (company_id, id, customer_id, name, notes)
    values (v_company, proof.id(v_letter, 'b71'), v_customer, 'Yearly check', v_canary), (v_company, proof.id('c', 'b71'), v_customer, 'Boiler', v_canary);
    insert into public.equipment (company_id, id, customer_id, property_id, name, notes, installed_by)
    values (v_company, proof.id(v_letter, 'b81'), v_customer, v_property, 'Furnace', v_canary, v_tech),
           (v_company, proof.id('c', 'b81'), v_customer, v_property, 'Boiler', v_canary, null);
    insert into public.job_team_assignments (company_id, id, job_id, user_id, notes)
    values (v_company, proof.id(v_letter, 'b91'), proof.id(v_letter, '804'), v_tech, v_canary),
           (v_company, proof.id(v_letter, 'b92'), proof.id(v_letter, '805'), v_office, v_canary),
           (v_company, proof.id('c', 'b91'), proof.id(v_letter, '801'), v_office, v_canary);
    insert into public.job_equipment (company_id, job_id, equipment_id, work_performed)
    values (v_company, proof.id(v_letter, '805'), proof.id(v_letter, 'b81'), v_canary),
           (v_company, proof.id(v_letter, '801'), proof.id(v_letter, 'b81'), v_canary);
    insert into public.recurrences (company_id, id, name, frequency, starts_at, job_id)
    values (v_company, proof.id(v_letter, 'ba1'), v_canary, 'weekly', v_day, proof.id(v_letter, '805')),
           (v_company, proof.id('c', 'ba1'), v_canary, 'daily', v_day, proof.id(v_letter, '801'));
    insert into public.schedules (company_id, id, customer_id, job_id, assigned_to, crew, title, start_time, end_time, notes)
    values (v_company, proof.id(v_letter, 'bb0'), v_customer, null, null, '{}', 'Nobody''s', v_day, v_day + interval '1 hour', v_canary),
           (v_company, proof.id(v_letter, 'bb1'), v_customer, proof.id(v_letter, '805'), v_tech, '{}', 'His', v_day, v_day + interval '1 hour', v_canary),
           (v_company, proof.id(v_letter, 'bb2'), v_customer, null, v_office, array[v_tech], 'Comes along', v_day + interval '2 hours',
            v_day + interval '3 hours', v_canary),
           (v_company, proof.id('c', 'bb1'), v_customer, null, v_office, '{}', 'In both', v_day + interval '4 hours', v_day + interval '5 hours', v_canary);
    insert into public.shifts (company_id, id, user_id, start_time, end_time, notes)
    values (v_company, proof.id(v_letter, 'bc1'), v_tech, v_day, v_day + interval '8 hours', v_canary),
           (v_company, proof.id('c', 'bc1'), v_office, v_day, v_day + interval '8 hours', v_canary);
    insert into public.absences (company_id, id, user_id, start_time, end_time, reason)
    values (v_company, proof.id(v_letter, 'bd1'), v_tech, v_day, v_day + interval '8 hours', v_canary),
           (v_company, proof.id('c', 'bd1'), v_office, v_day, v_day + interval '8 hours', v_canary);
    insert into public.time_entries (company_id, id, user_id, job_id, clock_in, clock_out, notes)
    values (v_company, proof.id(v_letter, 'be1'), v_tech, proof.id(v_letter, '805'), v_day, v_day + interval '1 hour', v_canary),
           (v_company, proof.id('c', 'be1'), v_office, null, v_day, v_day + interval '1 hour', v_canary);
    insert into public.technician_positions (company_id, user_id, lat, lon, device)
    values (v_company, v_tech, 39.8, -89.6, v_canary), (v_company, v_office, 39.8, -89.6, v_canary);
    insert into public.requests (company_id, id, customer_id, title, description)
    values (v_company, proof.id(v_letter, 'bf1'), v_customer, 'No heat', v_canary), (v_company, proof.id('c', 'bf1'), v_customer, 'Leak', v_canary);
    insert into public.form_templates (company_id, id, name, description)
    values (v_company, proof.id(v_letter, 'c01'), 'Safety', v_canary), (v_company, proof.id('c', 'c01'), 'Intake', v_canary);
    insert into public.form_submissions (company_id, id, form_template_id, job_id, answers)
    values (v_company, proof.id(v_letter, 'c11'), proof.id(v_letter, 'c01'), proof.id(v_letter, '805'), jsonb_build_object('note', v_canary)),
           (v_company, proof.id('c', 'c11'), proof.id(v_letter, 'c01'), proof.id(v_letter, '801'), jsonb_build_object('note', v_canary));
    insert into public.notes (company_id, id, entity_type, entity_id, content, created_by)
    values (v_company, proof.id(v_letter, 'c21'), 'job', proof.id(v_letter, '805'), v_canary, v_tech),
           (v_company, proof.id(v_letter, 'c22'), 'customer', v_customer, v_canary, null),
           (v_company, proof.id('c', 'c21'), 'job', proof.id(v_letter, '801'), v_canary, v_office);
    insert into public.tags (company_id, id, name, slug, description)
    values (v_company, proof.id(v_letter, 'c31'), 'VIP', 'vip', v_canary), (v_company, proof.id('c', 'c31'), 'New', 'new', v_canary);
    insert into public.customer_tags (company_id, customer_id, tag_id, note) values (v_company, v_customer, proof.id(v_letter, 'c31'), v_canary);
    insert into public.job_tags (company_id, job_id, tag_id, note)
    values (v_company, proof.id(v_letter, '805'), proof.id(v_letter, 'c31'), v_canary),
           (v_company, proof.id(v_letter, '801'), proof.id(v_letter, 'c31'), v_canary);
    insert into public.equipment_tags (company_id, equipment_id, tag_id, note)
    values (v_company, proof.id(v_letter, 'b81'), proof.id(v_letter, 'c31'), v_canary);
    insert into public.jobs_archive (company_id, id, job_number, assigned_to, title, status, job)
    values (v_company, proof.id(v_letter, 'c41'), 'JOB-2024-0001', v_tech, v_canary, 'completed', '{}'),
           (v_company, proof.id(v_letter, 'c42'), 'JOB-2024-0002', null, v_canary, 'completed', '{}'),
           (v_company, proof.id('c', 'c41'), 'JOB-2024-0003', v_office, v_canary, 'completed', '{}');
    insert into public.jobs_archive (company_id, id, job_number, assigned_to, crew, title, status, job)
    values (v_company, proof.id(v_letter, 'c43'), 'JOB-2024-0004', v_office, array[v_tech], v_canary, 'completed', '{}');
    insert into public.jobs_archive_restricted (company_id, id, children)
    values (v_company, proof.id(v_letter, 'c41'), jsonb_build_object('payments', v_canary)),
           (v_company, proof.id('c', 'c41'), jsonb_build_object('payments', v_canary));
    insert into app.retention_held (company_id, table_name, row_id, reason)
    values (v_company, 'public.jobs', proof.id(v_letter, '805'), v_canary), (v_company, 'public.jobs', proof.id('c', '801'), v_canary);
  end loop;
end $$;
