//! What the proof works with: a database with two companies, and everybody who may try.

use std::sync::Arc;

use kernel::{AnyCaller, Authority, CompanyId, Grant, Pass, PassKind, Principal, Subject, UserId};
use postgres::Database;
use testkit::Db;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::expectation::{CUSTOMERS, Permissions, Standing};

/// Rows for two companies.
const ROWS: [&str; 7] = [
    include_str!("world/010_people_and_jobs.sql"),
    include_str!("world/020_work.sql"),
    include_str!("world/030_price_book.sql"),
    include_str!("world/040_money.sql"),
    include_str!("world/050_platform.sql"),
    include_str!("world/060_guests.sql"),
    include_str!("world/900_touched.sql"),
];
const COMPANY_A: &str = "01900000-0000-7000-8000-00000000a000";
const COMPANY_B: &str = "01900000-0000-7000-8000-00000000b000";
/// The companies and the letters that tell them apart.
pub(crate) const COMPANIES: [(char, &str); 2] = [('a', COMPANY_A), ('b', COMPANY_B)];
/// Somebody in no company.
pub(crate) const ALONE: &str = "01900000-0000-7000-8000-00000000c101";
/// What a token says of itself beyond who signed in, at its worst: it counts for nothing.
const FORGED: &str = r#"{"role": "service_role", "company_id": "01900000-0000-7000-8000-00000000b000", "member_role": "owner"}"#;

/// A database with two companies.
#[derive(Debug)]
pub struct World {
    /// The database.
    pub db: Db,
    /// The server's way into it.
    pub database: Database,
    authority: Arc<Authority>,
}

/// Somebody who tries.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// How a report calls him.
    pub(crate) name: String,
    /// The companies, by letter, of which he must learn nothing and change nothing.
    pub(crate) foreign: &'static [char],
    /// What he is promised.
    pub(crate) standing: Standing,
    /// What his transactions are opened with.
    pub(crate) grant: Grant,
}

impl World {
    /// Makes it, on a database of its own.
    pub async fn new() -> Self {
        let db = Db::new().await;
        let client = db.superuser().await;
        for rows in ROWS {
            client.batch_execute(rows).await.expect("the rows fit the schema");
        }
        #[expect(clippy::disallowed_methods, reason = "a proof is a process of its own")]
        let authority = Authority::establish();
        Self { database: db.database_with(|options| options.prepared_statements = false), db, authority }
    }

    /// Connects as one who sees everything, to plant what must be found and to know the truth.
    pub async fn superuser(&self) -> Client {
        self.db.superuser().await
    }

    /// Returns everybody who tries: the company of each is A, but for the owner of B.
    pub(crate) fn callers(&self, permissions: &Permissions) -> Vec<Caller> {
        let alone = Standing::Alone { user_id: ALONE.to_owned() };
        let mut callers = vec![
            self.caller("nobody", Standing::Anonymous, Subject::Anonymous, None),
            self.caller("nobody who names company A", Standing::Anonymous, Subject::Anonymous, Some(COMPANY_A)),
            self.caller("somebody in no company", alone, person(ALONE), None),
            self.caller("the service in company A", Standing::Service, Subject::Service, Some(COMPANY_A)),
            self.caller("the service", Standing::Service, Subject::Service, None),
        ];
        for (company, id) in [("A", COMPANY_A), ("B", COMPANY_B)] {
            for (position, role) in permissions.roles.iter().enumerate() {
                // Of B its owner alone tries: what the others of B may not, A's others may not either.
                if company == "B" && role != "owner" {
                    continue;
                }
                let user_id = format!("{}10{}", id.trim_end_matches("000"), position.saturating_add(1));
                let subject = person(&user_id);
                let standing = Standing::Member { user_id, company_id: id.to_owned(), role: role.clone() };
                callers.push(self.caller(&format!("{role} of {company}"), standing, subject, Some(id)));
            }
        }
        callers.extend([('a', COMPANY_A), ('b', COMPANY_B)].map(|(letter, id)| self.customer(letter, id)));
        // The invoice may be looked at, the estimate be answered.
        callers.extend([
            self.holder_of_link("an invoice", "f11", '1', ("public.invoices", "d24")),
            self.holder_of_link("an estimate", "f12", '2', ("public.estimates", "d04")),
        ]);
        callers
    }

    /// A customer in the portal of a company.
    fn customer(&self, letter: char, company_id: &str) -> Caller {
        let row = |number: &str| format!("{}{number}", company_id.trim_end_matches("000"));
        let subject = Subject::Pass(Pass {
            kind: PassKind::Portal,
            company_id: CompanyId(company_id.parse().expect("an id")),
            id: row("f01").parse().expect("an id"),
            digest: letter.to_string().repeat(64).into(),
            address: None,
        });
        let standing =
            Standing::Guest { company_id: company_id.to_owned(), role: "portal".to_owned(), whose: (CUSTOMERS.to_owned(), row("601")) };
        self.caller(&format!("a customer of {}", letter.to_ascii_uppercase()), standing, subject, None)
    }

    /// Whoever has a link of company A.
    fn holder_of_link(&self, of: &str, link: &str, last: char, (table, row): (&str, &str)) -> Caller {
        let id = |number: &str| format!("{}{number}", COMPANY_A.trim_end_matches("000"));
        let subject = Subject::Pass(Pass {
            kind: PassKind::Link,
            company_id: CompanyId(COMPANY_A.parse().expect("an id")),
            id: id(link).parse().expect("an id"),
            digest: format!("{}{last}", "a".repeat(63)).into(),
            address: None,
        });
        let standing = Standing::Guest { company_id: COMPANY_A.to_owned(), role: "link".to_owned(), whose: (table.to_owned(), id(row)) };
        self.caller(&format!("whoever has a link of {of} of A"), standing, subject, None)
    }

    /// Returns those who name a company that is not theirs: none of them gets in.
    pub(crate) fn intruders(&self, permissions: &Permissions) -> Vec<Caller> {
        let callers = self.callers(permissions).into_iter();
        let people =
            callers.filter(|caller| matches!(caller.standing, Standing::Member { .. } | Standing::Alone { .. } | Standing::Guest { .. }));
        people
            .map(|caller| {
                let company = if matches!(&caller.standing, Standing::Member { company_id, .. } | Standing::Guest { company_id, .. } if company_id == COMPANY_B) {
                    COMPANY_A
                } else {
                    COMPANY_B
                };
                let subject = caller.grant.principal().subject().clone();
                self.caller(&format!("{} in the other company", caller.name), caller.standing, subject, Some(company))
            })
            .collect()
    }

    fn caller(&self, name: &str, standing: Standing, subject: Subject, company: Option<&str>) -> Caller {
        let company = company.map(|id| CompanyId(id.parse::<Uuid>().expect("an id")));
        let principal = Principal::vouch(&self.authority, subject, FORGED).in_company(company);
        let foreign: &[char] = match &standing {
            Standing::Member { company_id, .. } | Standing::Guest { company_id, .. } if company_id == COMPANY_A => &['b'],
            Standing::Member { .. } | Standing::Guest { .. } => &['a'],
            Standing::Anonymous | Standing::Alone { .. } => &['a', 'b'],
            Standing::Service => &[],
        };
        Caller { name: name.to_owned(), foreign, standing, grant: principal.require::<AnyCaller>().expect("anybody may try") }
    }
}

fn person(id: &str) -> Subject {
    Subject::User { user_id: UserId(id.parse::<Uuid>().expect("an id")), session_id: None }
}
