//! Who asks in these tests: a company with an owner, and grants for him, for nobody and for the service.

use std::sync::Arc;

use kernel::{AnyCaller, Authority, CompanyId, Grant, Principal, SessionId, Subject, UserId};
use testkit::Db;
use uuid::Uuid;

pub(crate) const COMPANY: &str = "01900000-0000-7000-8000-000000000001";
pub(crate) const USER: &str = "01900000-0000-7000-8000-000000000002";
pub(crate) const SESSION: &str = "01900000-0000-7000-8000-000000000003";

const ROWS: &str = "
insert into auth.users (id, email, email_confirmed_at) values ('01900000-0000-7000-8000-000000000002', 'ann@example.com', now());
insert into public.companies (id, name, slug) values ('01900000-0000-7000-8000-000000000001', 'Ann', 'ann');
insert into public.team_members (company_id, user_id, role) values ('01900000-0000-7000-8000-000000000001', '01900000-0000-7000-8000-000000000002', 'admin');
insert into auth.sessions (id, user_id, active_company_id)
values ('01900000-0000-7000-8000-000000000003', '01900000-0000-7000-8000-000000000002', '01900000-0000-7000-8000-000000000001');
insert into public.customers (company_id, first_name, phone) values ('01900000-0000-7000-8000-000000000001', 'Ben', '+15550100')";

/// Makes a database with a company and its member.
pub(crate) async fn database_with_a_member() -> Db {
    let db = Db::new().await;
    db.superuser().await.batch_execute(ROWS).await.unwrap();
    db
}

fn id(text: &str) -> Uuid {
    text.parse().unwrap()
}

pub(crate) fn member() -> Grant {
    grant(Subject::User { user_id: UserId(id(USER)), session_id: Some(SessionId(id(SESSION))) }, None)
}

pub(crate) fn nobody() -> Grant {
    grant(Subject::Anonymous, None)
}

pub(crate) fn service() -> Grant {
    grant(Subject::Service, Some(CompanyId(id(COMPANY))))
}

pub(crate) fn service_in_no_company() -> Grant {
    grant(Subject::Service, None)
}

fn grant(subject: Subject, company: Option<CompanyId>) -> Grant {
    #[expect(clippy::disallowed_methods, reason = "the test is where this process starts")]
    let authority: Arc<Authority> = Authority::establish();
    Principal::vouch(&authority, subject, "{}").in_company(company).require::<AnyCaller>().unwrap()
}
