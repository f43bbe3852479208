-- description: reviews that customers wrote themselves, of each job and of the company one
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261122090400
-- rollback: drops the column; reviews stay, and customers write any number of them again
-- lint: allow require-concurrent-index-creation because no row has the new column yet

alter table public.customer_reviews add column reviewed text
  constraint customer_reviews_reviewed_check check (reviewed in ('job', 'company'));
comment on column public.customer_reviews.reviewed is 'What the customer himself reviewed, which he does once and then changes; null where the company entered it.';
create unique index customer_reviews_of_job_key on public.customer_reviews (company_id, customer_id, job_id) where reviewed = 'job';
create unique index customer_reviews_of_company_key on public.customer_reviews (company_id, customer_id) where reviewed = 'company';
