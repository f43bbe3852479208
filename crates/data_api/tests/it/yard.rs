//! Yards with vans, their papers and their drivers: every sort of relationship, small enough to be known by heart.

use data_api::DataApiConfig;
use serde_json::{Value, json};

use crate::server::{Caller, Server};

const TABLES: &str = "
create table public.yards (
  company_id uuid not null default app.company_id(), id integer not null, name text, place jsonb, primary key (company_id, id));
create table public.vans (
  company_id uuid not null default app.company_id(), id integer not null, name text, yard_id integer, spare_yard_id integer, towed_by integer,
  deleted_at timestamptz, deleted_by uuid, permanent_delete_scheduled_at timestamptz, primary key (company_id, id),
  constraint vans_yard_key foreign key (company_id, yard_id) references public.yards,
  constraint vans_spare_yard_id_fkey foreign key (company_id, spare_yard_id) references public.yards,
  constraint vans_towed_by_fkey foreign key (company_id, towed_by) references public.vans);
create table public.papers (
  company_id uuid not null default app.company_id(), van_id integer not null, valid_until date, primary key (company_id, van_id),
  constraint papers_van_id_fkey foreign key (company_id, van_id) references public.vans);
create table public.drivers (
  company_id uuid not null default app.company_id(), id integer not null, name text, primary key (company_id, id));
create table public.van_drivers (
  company_id uuid not null default app.company_id(), van_id integer not null, driver_id integer not null,
  primary key (company_id, van_id, driver_id),
  constraint van_drivers_van_id_fkey foreign key (company_id, van_id) references public.vans,
  constraint van_drivers_driver_id_fkey foreign key (company_id, driver_id) references public.drivers);
select app.protect('public.yards', 'customers');
select app.protect('public.vans', 'jobs', p_soft_delete => true);
select app.protect('public.papers', 'role_changes');
select app.protect('public.drivers', 'customers');
select app.protect('public.van_drivers', 'customers');
create view public.parked with (security_invoker = true) as
  select v.company_id as tenant_id, v.id, v.name as label, v.yard_id as at_yard from public.vans v where v.yard_id is not null;
grant select on public.parked to authenticated, service_role;
create function public.best_van(public.yards) returns setof public.vans rows 1 language sql stable as
  $$ select v.* from public.vans v where v.company_id = $1.company_id and v.yard_id = $1.id order by v.name limit 1 $$;
create function public.all_vans(public.yards) returns setof public.vans language sql stable as
  $$ select v.* from public.vans v where v.company_id = $1.company_id and v.yard_id = $1.id $$;
create function public.find_yards(wanted text) returns setof public.yards language sql stable as
  $$ select y.* from public.yards y where y.company_id = app.company_id() and y.name like wanted $$;
create function public.one_yard(wanted integer) returns public.yards language sql stable as
  $$ select y.* from public.yards y where y.company_id = app.company_id() and y.id = wanted $$;
grant execute on all functions in schema public to authenticated, service_role;";

/// The yards of one company, as its owner.
pub(crate) async fn yards() -> (Server, Caller) {
    yards_with(DataApiConfig::default()).await
}

/// The same, served as configured.
pub(crate) async fn yards_with(config: DataApiConfig) -> (Server, Caller) {
    let server = Server::with(config).await;
    let owner = server.owner("ann").await;
    server.table(TABLES).await;
    fill(&server, &owner).await;
    (server, owner)
}

/// Enters the rows for somebody's company.
pub(crate) async fn fill(server: &Server, owner: &Caller) {
    for (table, rows) in [
        ("yards", json!([{ "id": 1, "name": "North", "place": { "zip": "10" } }, { "id": 2, "name": "South", "place": null }])),
        (
            "vans",
            json!([
                { "id": 10, "name": "Blue", "yard_id": 1, "spare_yard_id": 2, "towed_by": null },
                { "id": 11, "name": "Red", "yard_id": 1, "spare_yard_id": null, "towed_by": 10 },
                { "id": 12, "name": "Green", "yard_id": null, "spare_yard_id": null, "towed_by": 10 },
            ]),
        ),
        ("drivers", json!([{ "id": 20, "name": "Ada" }, { "id": 21, "name": "Bob" }])),
        ("van_drivers", json!([{ "van_id": 10, "driver_id": 20 }, { "van_id": 10, "driver_id": 21 }, { "van_id": 11, "driver_id": 20 }])),
    ] {
        let written = server.post(owner, table, rows, "").await;
        assert_eq!(written.status, 201, "{table}: {}", written.text);
    }
    // Nobody but the service writes what stands for the changes of roles here.
    let service = server.service().working_in(&owner.company_id);
    let paper = json!({ "company_id": owner.company_id, "van_id": 10, "valid_until": "2027-01-31" });
    assert_eq!(server.post(&service, "papers", paper, "").await.status, 201);
}

/// Checks what each address answers.
pub(crate) async fn check(server: &Server, who: &Caller, cases: &[(&str, Value)]) {
    for (path, expected) in cases {
        let answer = server.get(who, path).await;
        assert_eq!((answer.status, &answer.body), (200, expected), "{path}: {}", answer.text);
    }
}
