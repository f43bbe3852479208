-- description: says which texts people write are shown as HTML, so that they are cleaned on their way in
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261122095000
-- rollback: takes the labels away again; texts that were cleaned stay as they are

-- People and companies
comment on column public.users.bio is 'html';
comment on column public.custom_roles.description is 'html';
comment on column public.departments.description is 'html';

-- Customers and places
comment on column public.customers.notes is 'html';
comment on column public.customers.internal_notes is 'html';
comment on column public.customers.directions is 'pii:text html';
comment on column public.customer_contacts.notes is 'html';
comment on column public.properties.notes is 'html';
comment on column public.properties.directions is 'pii:text html';
comment on column public.properties.parking_instructions is 'pii:text html';
comment on column public.properties.service_entrance_notes is 'pii:text html';
comment on column public.equipment.notes is 'html';
comment on column public.equipment.customer_notes is 'html';
comment on column public.equipment.warranty_notes is 'html';
comment on column public.customer_tags.note is 'html';
comment on column public.equipment_tags.note is 'html';
comment on column public.job_tags.note is 'html';
comment on column public.tags.description is 'html';
comment on column public.custom_fields.help_text is 'html';
comment on column public.customer_reviews.review_text is 'html';
comment on column public.customer_reviews.response_text is 'html';
comment on column public.notes.content is 'html';
comment on column public.attachments.description is 'html';

-- Work
comment on column public.requests.description is 'html';
comment on column public.jobs.description is 'html';
comment on column public.jobs.notes is 'html';
comment on column public.jobs.booking_notes is 'html';
comment on column public.jobs.review_text is 'html';
comment on column public.jobs.review_notes is 'html';
comment on column public.job_equipment.work_performed is 'html';
comment on column public.job_team_assignments.notes is 'html';
comment on column public.schedules.description is 'html';
comment on column public.schedules.notes is 'html';
comment on column public.schedules.customer_notes is 'html';
comment on column public.schedules.access_instructions is 'pii:text html';
comment on column public.recurrences.template is 'html(description,notes,customer_notes,access_instructions)';
comment on column public.time_entries.notes is 'html';
comment on column public.shifts.notes is 'html';
comment on column public.skills.description is 'html';
comment on column public.zones.description is 'html';
comment on column public.member_zones.notes is 'html';
comment on column public.form_templates.description is 'html';
comment on column public.service_plans.description is 'html';
comment on column public.service_plans.notes is 'html';
comment on column public.service_plans.customer_notes is 'html';
comment on column public.service_plans.terms is 'html';

-- Money
comment on column public.estimates.description is 'html';
comment on column public.estimates.notes is 'html';
comment on column public.estimates.terms is 'html';
comment on column public.estimates.line_items is 'html(description)';
comment on column public.estimate_options.description is 'html';
comment on column public.estimate_line_items.description is 'html';
comment on column public.invoices.description is 'html';
comment on column public.invoices.notes is 'html';
comment on column public.invoices.terms is 'html';
comment on column public.invoices.line_items is 'html(description)';
comment on column public.invoice_line_items.description is 'html';
comment on column public.payments.notes is 'html';
comment on column public.payments.customer_notes is 'html';
comment on column public.payments.financing_terms is 'html';
comment on column public.payment_allocations.notes is 'html';
comment on column public.contracts.description is 'html';
comment on column public.contracts.content is 'html';
comment on column public.contracts.notes is 'html';
comment on column public.contracts.terms is 'html';

-- Price book, purchasing and stock
comment on column public.price_book_categories.description is 'html';
comment on column public.price_book_items.description is 'html';
comment on column public.price_book_items.notes is 'html';
comment on column public.pricing_rules.description is 'html';
comment on column public.labor_rates.description is 'html';
comment on column public.service_packages.description is 'html';
comment on column public.service_packages.notes is 'html';
comment on column public.service_packages.included_items is 'html(notes)';
comment on column public.vendors.notes is 'html';
comment on column public.supplier_integrations.notes is 'html';
comment on column public.purchase_orders.description is 'html';
comment on column public.purchase_orders.notes is 'html';
comment on column public.purchase_orders.internal_notes is 'html';
comment on column public.purchase_orders.line_items is 'html(description)';
comment on column public.purchase_order_line_items.description is 'html';
comment on column public.inventory.notes is 'html';

-- Messages
comment on column public.communications.body is 'pii:text html';
comment on column public.communications.body_html is 'pii:text html';
comment on column public.notification_queue.body_html is 'pii:text html';
comment on column public.suppressions.note is 'html';
comment on column public.posts.content is 'html';
