-- Every table of a company, declared. The verbs are those of db/permissions.toml, and a test compares them.

select app.protect('public.companies', 'companies', p_tenant_column => 'id', p_verbs => '{read,update}');
select app.protect('public.team_members', 'members', p_verbs => '{read,update,delete}');
select app.protect('public.departments', 'departments');
select app.protect('public.custom_roles', 'roles');
select app.protect('public.invitations', 'invitations', p_verbs => '{read,delete}');
select app.protect('public.role_change_log', 'role_changes', p_verbs => '{read}');
select app.protect('public.ownership_transfers', 'ownership_transfers', p_verbs => '{read}');
select app.protect('public.customers', 'customers', p_soft_delete => true);
select app.protect('public.properties', 'properties', p_soft_delete => true);
select app.protect('public.jobs', 'jobs', p_soft_delete => true, p_assigned_column => 'assigned_to');

-- Columns that a member never writes, however much he may do: what the platform decides, and what is computed.
revoke update on public.companies from authenticated;
grant update (name, slug, industry, legal_name, doing_business_as, logo, email, phone, support_email, support_phone,
              website, address, address2, city, state, zip_code, country, lat, lon, license_number, tax_id, company_size,
              brand_color, business_timezone, currency, settings, onboarding_step, onboarding_progress,
              onboarding_completed_at) on public.companies to authenticated;
revoke update on public.team_members from authenticated;
grant update (role, role_id, department_id, status, permissions, job_title, phone, archived_at)
  on public.team_members to authenticated;
revoke insert, update on public.custom_roles from authenticated;
grant insert (company_id, id, name, description, permissions, color) on public.custom_roles to authenticated;
grant update (name, description, permissions, color) on public.custom_roles to authenticated;

-- Logs are written by triggers and stay as they were written, for the service too.
revoke insert, update, delete on public.role_change_log, public.ownership_transfers from service_role;
