-- Every table of a company, declared. The verbs are those of db/permissions.toml, and a test compares them.

select app.protect('public.companies', 'companies', p_tenant_column => 'id', p_verbs => '{read,update}');
select app.protect('public.team_members', 'members', p_verbs => '{read,update,delete}');
select app.protect('public.departments', 'departments');
select app.protect('public.custom_roles', 'roles');
select app.protect('public.invitations', 'invitations', p_verbs => '{read,delete}');
select app.protect('public.company_domains', 'company_domains');
select app.protect('public.role_change_log', 'role_changes', p_verbs => '{read}');
select app.protect('public.ownership_transfers', 'ownership_transfers', p_verbs => '{read}');
select app.protect('public.customers', 'customers', p_soft_delete => true);
select app.protect('public.properties', 'properties', p_soft_delete => true);
select app.protect('public.jobs', 'jobs', p_soft_delete => true, p_assigned_column => 'assigned_to', p_crew_column => 'crew');
select app.protect('public.company_settings', 'company_settings', p_verbs => '{read,create,update}');
select app.protect('public.company_holidays', 'company_settings');
select app.protect('public.zones', 'team_setup');
select app.protect('public.skills', 'team_setup');
select app.protect('public.member_skills', 'team_setup');
select app.protect('public.member_zones', 'team_setup');
select app.protect('public.custom_fields', 'custom_fields');
select app.protect('public.custom_field_values', 'custom_field_values');
select app.protect('public.customer_contacts', 'customer_details', p_soft_delete => true);
select app.protect('public.customer_addresses', 'customer_details', p_soft_delete => true);
select app.protect('public.customer_tags', 'customer_details');
select app.protect('public.equipment_tags', 'customer_details');
select app.protect('public.equipment', 'equipment', p_soft_delete => true);
select app.protect('public.service_plans', 'service_plans', p_soft_delete => true);
select app.protect('public.job_team_assignments', 'job_teams', p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.job_equipment', 'job_details', p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.job_tags', 'job_details', p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.schedules', 'schedules', p_soft_delete => true, p_assigned_column => 'assigned_to', p_crew_column => 'crew');
select app.protect('public.bookings', 'schedules', p_parent_table => 'public.schedules', p_parent_column => 'schedule_id', p_verbs => '{read}');
revoke insert, update, delete on public.bookings from service_role;
select app.protect('public.recurrences', 'schedules', p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.shifts', 'shifts');
select app.protect('public.absences', 'absences', p_own_column => 'user_id');
select app.protect('public.time_entries', 'time_entries', p_own_column => 'user_id');
select app.protect('public.technician_positions', 'positions', p_own_column => 'user_id', p_verbs => '{read,create,update}');
select app.protect('public.requests', 'requests', p_soft_delete => true);
select app.protect('public.form_templates', 'form_templates', p_soft_delete => true);
select app.protect('public.form_submissions', 'form_submissions', p_soft_delete => true, p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.notes', 'notes', p_soft_delete => true, p_own_column => 'created_by', p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.tags', 'tags');
select app.protect('public.jobs_archive', 'jobs', p_assigned_column => 'assigned_to', p_crew_column => 'crew', p_verbs => '{read}');
select app.protect('public.jobs_archive_restricted', 'jobs_archive', p_verbs => '{read}');
revoke insert, update, delete on public.jobs_archive, public.jobs_archive_restricted from service_role;
select app.protect('public.price_book_categories', 'price_book');
select app.protect('public.price_book_items', 'price_book', p_soft_delete => true);
select app.protect('public.service_packages', 'price_book');
select app.protect('public.pricing_rules', 'price_book');
select app.protect('public.price_history', 'price_history', p_verbs => '{read}');
revoke insert, update, delete on public.price_history from service_role;
select app.protect('public.labor_rates', 'labor_rates');
select app.protect('public.supplier_integrations', 'supplier_integrations');
select app.protect('public.vendors', 'vendors', p_soft_delete => true);
select app.protect('public.purchase_orders', 'purchase_orders', p_soft_delete => true);
select app.protect('public.purchase_order_line_items', 'purchase_order_lines');
select app.protect('public.po_settings', 'po_settings', p_verbs => '{read,create,update}');
select app.protect('public.inventory_locations', 'inventory');
select app.protect('public.inventory', 'inventory', p_soft_delete => true);
select app.protect('public.stock_reservations', 'stock_reservations', p_verbs => '{read}');
revoke insert, update, delete on public.stock_reservations from service_role;
select app.protect('public.stock_moves', 'stock_moves', p_verbs => '{read}');
revoke insert, update, delete on public.stock_moves from service_role;
select app.protect('public.estimates', 'estimates', p_soft_delete => true, p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.estimate_options', 'estimate_lines', p_parent_table => 'public.estimates', p_parent_column => 'estimate_id');
select app.protect('public.estimate_line_items', 'estimate_lines', p_parent_table => 'public.estimates', p_parent_column => 'estimate_id');
select app.protect('public.estimate_jobs', 'estimate_lines', p_parent_table => 'public.estimates', p_parent_column => 'estimate_id');
select app.protect('public.invoices', 'invoices', p_soft_delete => true, p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.invoice_line_items', 'invoice_lines', p_parent_table => 'public.invoices', p_parent_column => 'invoice_id');
select app.protect('public.invoice_jobs', 'invoice_lines', p_parent_table => 'public.invoices', p_parent_column => 'invoice_id');
select app.protect('public.credit_notes', 'credit_notes', p_verbs => '{read,create}');
revoke update, delete on public.credit_notes from service_role;
select app.protect('public.payments', 'payments', p_soft_delete => true, p_own_column => 'created_by');
select app.protect('public.payment_allocations', 'payment_allocations', p_verbs => '{read,create}');
revoke update, delete on public.payment_allocations from service_role;
select app.protect('public.payment_methods', 'payment_methods', p_soft_delete => true);
select app.protect('public.contracts', 'contracts', p_soft_delete => true, p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.communications', 'communications', p_soft_delete => true, p_assigned_column => 'assigned_to', p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.email_logs', 'email_logs', p_verbs => '{read}');
select app.protect('public.activities', 'activities', p_parent_table => 'public.jobs', p_parent_column => 'job_id', p_verbs => '{read}');
revoke insert, update, delete on public.activities from service_role;
select app.protect('public.audit_logs', 'audit_logs', p_verbs => '{read}');
revoke insert, update, delete on public.audit_logs from service_role;
select app.protect('public.webhooks', 'webhooks');
select app.protect('public.webhook_logs', 'webhooks', p_verbs => '{read}');
select app.protect('public.notification_preferences', 'notification_preferences', p_own_column => 'user_id', p_verbs => '{read,create,update}');
select app.protect('public.notification_queue', 'notifications', p_own_column => 'user_id', p_verbs => '{read,update}');
select app.protect('public.notification_templates', 'notification_templates');
select app.protect('public.suppressions', 'suppressions', p_verbs => '{read,create,delete}');
select app.protect('public.file_storage', 'files', p_soft_delete => true, p_own_column => 'uploaded_by', p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.attachments', 'files', p_soft_delete => true, p_own_column => 'uploaded_by', p_parent_table => 'public.jobs', p_parent_column => 'job_id');
select app.protect('public.customer_reviews', 'reviews', p_soft_delete => true);
select app.protect('public.public_links', 'public_links');
select app.protect('public.import_runs', 'imports', p_verbs => '{read,create,update}');
select app.protect('public.api_keys', 'api_keys', p_verbs => '{read,update,delete}');
select app.protect('public.posts', 'posts');
select app.protect('public.chats', 'chats', p_own_column => 'user_id');
select app.protect('public.messages_v2', 'chats', p_own_column => 'user_id');
select app.protect('public.votes_v2', 'chats', p_own_column => 'user_id');
select app.protect('public.documents', 'chats', p_own_column => 'user_id');
select app.protect('public.suggestions', 'chats', p_own_column => 'user_id');
select app.protect('public.streams', 'chats', p_own_column => 'user_id');
select app.protect('public.support_consents', 'support_access', p_verbs => '{read}');
select app.protect('public.support_sessions', 'support_access', p_verbs => '{read}');
revoke insert, update, delete on public.support_consents, public.support_sessions from service_role;

-- Columns that a member never writes, however much he may do: what the platform decides, and what is computed.
revoke update on public.companies from authenticated;
grant update (name, slug, industry, legal_name, doing_business_as, logo, email, phone, support_email, support_phone,
              website, address, address2, city, state, zip_code, country, lat, lon, license_number, tax_id, company_size,
              brand_color, brand_primary_color, brand_secondary_color, brand_accent_color, brand_font, logo_url, logo_square_url, website_url,
              ein, business_timezone, currency, settings, email_settings, portal_settings, refund_settings, onboarding_step, onboarding_progress,
              onboarding_completed_at, onboarding_completion_percentage, onboarding_data, onboarding_step_completed, mfa_required)
  on public.companies to authenticated;
revoke update on public.team_members from authenticated;
grant update (role, role_id, department_id, status, permissions, job_title, phone, archived_at)
  on public.team_members to authenticated;
revoke insert, update on public.custom_roles from authenticated;
grant insert (company_id, id, name, description, permissions, color) on public.custom_roles to authenticated;
grant update (name, description, permissions, color) on public.custom_roles to authenticated;

revoke insert, update on public.company_domains from authenticated;
grant insert (company_id, id, domain, join_mode, join_role) on public.company_domains to authenticated;
grant update (join_mode, join_role) on public.company_domains to authenticated;

-- Logs are written by triggers and stay as they were written, for the service too.
revoke insert, update, delete on public.role_change_log, public.ownership_transfers from service_role;

-- Of no company.
revoke all on public.api_rate_limits, public.verification_tokens from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.api_rate_limits, public.verification_tokens to service_role;
