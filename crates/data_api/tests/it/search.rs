//! Search: people are found by what others remember of them, and nobody finds what is not his to see.

use serde_json::{Value, json};

use crate::server::{Caller, Server};

/// A crowd of similar names, every first with every last: 630 customers.
const CROWD: &str = "
insert into public.customers (company_id, first_name, last_name, email, phone, city)
select '{company}', f.name, l.name, lower(f.name || '.' || l.name || '@crowd.test'), '+1 312 555 ' || lpad((f.n * 100 + l.n)::text, 4, '0'), 'Chicago'
  from unnest('{James,Jamie,Joan,Jan,Jane,Jean,John,Jon,Jonas,Maria,Mary,Marie,Mario,Martha,Michael,Michelle,Mitchell,Stephen,Stefan,Stephanie,
                Robert,Roberta,Rupert,Anna,Anne,Hanna,Eric,Erica,Frederic,Carl,Carla}'::text[]) with ordinality f (name, n)
 cross join unnest('{Smith,Smithson,Schmitt,Smits,Johnson,Johnston,Jones,Jonas,Miller,Mills,Moeller,Martin,Martins,Martinez,Thomas,Thompson,
                     Davis,Davies,Clark,Clarkson}'::text[]) with ordinality l (name, n);
";

/// Those who are looked for, and how somebody spells them who heard the name once: a letter wrong, too many, too few, two that changed
/// places, two wrong letters, and what merely sounds so.
const MISSPELT: &[(&str, &str)] = &[
    // One letter wrong.
    ("Katherine Gonzalez", "Katharine Gonzalez"),
    ("Katherine Gonzalez", "Katherine Gonsalez"),
    ("Desmond Whitaker", "Desmond Whitacer"),
    ("Desmond Whitaker", "Dismond Whitaker"),
    ("Priya Raghavan", "Priya Ragavan"),
    ("Olivia Brennan", "Olivia Brannan"),
    ("Harold Finch", "Harald Finch"),
    ("Beatrice Kowalski", "Beatrice Kowalsky"),
    ("Gregory Hutchinson", "Gregory Hutchenson"),
    ("Winifred Castellano", "Winifred Castelano"),
    // A letter too many or too few.
    ("Philip Wainwright", "Phillip Wainwright"),
    ("Philip Wainwright", "Philip Wainright"),
    ("Rosalind Abernathy", "Rosalind Abernathey"),
    ("Rosalind Abernathy", "Rosalin Abernathy"),
    ("Terrence McAllister", "Terence McAllister"),
    ("Terrence McAllister", "Terrence McAlister"),
    ("Yolanda Figueroa", "Yolanda Figeroa"),
    ("Nathaniel Okafor", "Nathanial Okafor"),
    ("Bartholomew Quigley", "Bartholemew Quigly"),
    ("Isabella Di Marco", "Isabela Di Marco"),
    // Two that changed places.
    ("Desmond Whitaker", "Desmnod Whitaker"),
    ("Harold Finch", "Harold Fnich"),
    ("Olivia Brennan", "Oliiva Brennan"),
    ("Marcus Delacroix", "Marcus Delacriox"),
    ("Vivian Tremblay", "Vivian Trembaly"),
    ("Gregory Hutchinson", "Gergory Hutchinson"),
    ("Nathaniel Okafor", "Nathaniel Okafro"),
    ("Beatrice Kowalski", "Beatrice Kowlaski"),
    ("Priya Raghavan", "Pirya Raghavan"),
    ("Yolanda Figueroa", "Yolanda Figueora"),
    // One in each name, or two in one.
    ("Katherine Gonzalez", "Kathrine Gonsalez"),
    ("Rosalind Abernathy", "Roslind Abernaty"),
    ("Marcus Delacroix", "Markus Delacroiks"),
    ("Winifred Castellano", "Winnifred Castelanno"),
    ("Bartholomew Quigley", "Bartolomew Qigley"),
    ("Vivian Tremblay", "Vivien Tremblai"),
    ("Desmond Whitaker", "Desmand Whitakr"),
    ("Terrence McAllister", "Terrance MacAllister"),
    ("Gregory Hutchinson", "Gregery Huchinson"),
    ("Nathaniel Okafor", "Natanel Okafor"),
    // As it sounds.
    ("Philip Wainwright", "Filip Wainrite"),
    ("Sean Knightley", "Shaun Nightley"),
    ("Siobhan Pfeiffer", "Siobhan Fifer"),
    ("Geoffrey Leigh", "Jeffrey Lee"),
    ("Xavier Schneider", "Zavier Shnyder"),
    ("Catriona Hughes", "Katriona Hews"),
    ("Beatrice Kowalski", "Beatris Covalski"),
    ("Christopher Reilly", "Kristofer Riley"),
    ("Rosalind Abernathy", "Rosalynd Abernathie"),
    ("Marcus Delacroix", "Marcus Delacroy"),
    // One word of it, misspelt.
    ("Desmond Whitaker", "witaker"),
    ("Winifred Castellano", "castalano"),
    ("Bartholomew Quigley", "quiglee"),
    ("Yolanda Figueroa", "figuera"),
    ("Nathaniel Okafor", "okafur"),
    ("Priya Raghavan", "raghvan"),
    ("Vivian Tremblay", "trembley"),
    // Signs, spaces and marks.
    ("Liam O'Shaughnessy", "liam oshaughnessy"),
    ("Liam O'Shaughnessy", "Liam O Shaughnesy"),
    ("Renée Lindström", "renee lindstrom"),
    ("Renée Lindström", "Rene Lindstrom"),
    ("Isabella Di Marco", "isabella dimarco"),
    ("Terrence McAllister", "terrence mc allister"),
    ("Anne-Sophie Müller", "anne sofie muller"),
];

/// A company whose owner has the crowd and those who are looked for.
async fn crowded() -> (Server, Caller) {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    let superuser = server.db.superuser().await;
    superuser.batch_execute(&CROWD.replace("{company}", &owner.company_id)).await.unwrap();
    let names: std::collections::BTreeSet<&str> = MISSPELT.iter().map(|(name, _)| *name).collect();
    for (number, name) in names.into_iter().enumerate() {
        let (first, last) = name.split_once(' ').unwrap();
        let phone = format!("+1 312 777 {number:04}");
        let insert = "insert into public.customers (company_id, first_name, last_name, phone) values ($1::text::uuid, $2, $3, $4)";
        superuser.execute(insert, &[&owner.company_id, &first, &last, &phone]).await.unwrap();
    }
    (server, owner)
}

async fn search(server: &Server, who: &Caller, function: &str, query: &str) -> Vec<Value> {
    let answer = server.post(who, &format!("rpc/{function}"), json!({ "query": query }), "").await.ok();
    answer.as_array().unwrap().clone()
}

/// What was found, by one of its columns.
async fn found(server: &Server, who: &Caller, function: &str, query: &str, column: &str) -> Vec<String> {
    search(server, who, function, query).await.iter().map(|row| row[column].as_str().unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn a_misspelt_customer_is_among_the_first_three() {
    let (server, owner) = Box::pin(crowded()).await;
    let mut missed = vec![];
    for (name, query) in MISSPELT {
        let names = found(&server, &owner, "search_customers", query, "display_name").await;
        if !names.iter().take(3).any(|display_name| display_name == name) {
            missed.push(format!("{query}: {name} is not among {:?}", names.iter().take(5).collect::<Vec<_>>()));
        }
    }
    assert!(missed.is_empty(), "{} of {}: {missed:#?}", missed.len(), MISSPELT.len());
}

#[tokio::test]
async fn a_telephone_number_or_an_address_is_the_answer() {
    let (server, owner) = Box::pin(crowded()).await;
    let row = json!({ "first_name": "Ida", "last_name": "Vance", "phone": "+1 (415) 555-0142", "secondary_phone": "510.555.0199",
                      "email": "Ida.Vance@Example.com", "notes": "Beware of the dog 4155550100" });
    server.post(&owner, "customers", row, "").await;
    for query in ["+1 (415) 555-0142", "4155550142", "415-555-0142", "001 415 555 0142", "(510) 555 0199", "ida.vance@example.com"] {
        let rows = search(&server, &owner, "search_customers", query).await;
        assert_eq!((rows.len(), rows[0]["display_name"].as_str()), (1, Some("Ida Vance")), "{query}");
    }
    // Without the area, its end, what is noted.
    for query in ["555-0142", "0142", "vance@example", "beware dog"] {
        assert_eq!(found(&server, &owner, "search_customers", query, "display_name").await[0], "Ida Vance", "{query}");
    }
}

#[tokio::test]
async fn what_is_surer_stands_first() {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    for (first, last, notes) in [
        ("Will", "Stone", ""),
        ("Willa", "Stonebridge", ""),
        ("Ada", "Lane", "knows Will Stone"),
        ("Wil", "Stoner", ""),
        ("Bill", "Stine", ""),
        ("Zed", "Quartz", ""),
    ] {
        let row = json!({ "first_name": first, "last_name": last, "notes": notes, "email": format!("{first}@s.test") });
        assert_eq!(server.post(&owner, "customers", row, "").await.status, 201);
    }
    let names = found(&server, &owner, "search_customers", "will stone", "display_name").await;
    assert_eq!(names[..3], ["Will Stone", "Willa Stonebridge", "Ada Lane"]);
    let rows = search(&server, &owner, "search_customers", "will stone").await;
    let scores: Vec<f64> = rows.iter().map(|row| row["score"].as_f64().unwrap()).collect();
    assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{scores:?}");
    // One letter is what names begin with; nothing is nothing.
    assert_eq!(found(&server, &owner, "search_customers", "W", "display_name").await, ["Wil Stoner", "Will Stone", "Willa Stonebridge"]);
    for query in ["", "  ", "-", "%", "_", "xkcdqq"] {
        assert_eq!(search(&server, &owner, "search_customers", query).await, Vec::<Value>::new(), "{query:?}");
    }
}

#[tokio::test]
async fn who_was_deleted_is_not_found_and_who_was_renamed_is() {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    let id = server.customer(&owner, "Zebulon").await;
    let path = format!("customers?id=eq.{id}");
    assert_eq!(found(&server, &owner, "search_customers", "zebulon", "id").await, std::slice::from_ref(&id));
    // What a client writes into the column counts for nothing.
    let renamed = json!({ "first_name": "Barnabas", "search_vector": "'zebulon':1A" });
    assert_eq!(server.patch(&owner, &path, renamed, "").await.status, 204);
    assert_eq!(found(&server, &owner, "search_customers", "zebulon", "id").await, Vec::<String>::new());
    assert_eq!(found(&server, &owner, "search_customers", "barnabas", "id").await, std::slice::from_ref(&id));
    assert_eq!(server.patch(&owner, &path, json!({ "search_vector": "'zebulon':1A" }), "").await.status, 204);
    assert_eq!(found(&server, &owner, "search_customers", "zebulon", "id").await, Vec::<String>::new());
    server.delete(&owner, &path, "").await;
    assert_eq!(found(&server, &owner, "search_customers", "barnabas", "id").await, Vec::<String>::new());
}

#[tokio::test]
async fn nobody_finds_what_another_company_has() {
    let server = Server::new().await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    for (who, word) in [(&ann, "Annville"), (&bob, "Bobtown")] {
        let row = json!({ "first_name": "Same", "last_name": "Name", "email": "same@example.com", "phone": "415 555 0111", "city": word });
        assert_eq!(server.post(who, "customers", row, "").await.status, 201);
    }
    for query in ["Same Name", "Smae Naem", "same@example.com", "4155550111", "S"] {
        assert_eq!(found(&server, &ann, "search_customers", query, "city").await, ["Annville"], "{query}");
        assert_eq!(found(&server, &bob, "search_customers", query, "city").await, ["Bobtown"], "{query}");
    }
    assert_eq!(found(&server, &ann, "search_customers", "Bobtown", "city").await, Vec::<String>::new());
    let within = server.service().working_in(&bob.company_id);
    assert_eq!(found(&server, &within, "search_customers", "same", "city").await, ["Bobtown"]);
}

#[tokio::test]
async fn who_may_not_is_refused() {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    let alone = server.person("alone").await;
    let viewer = server.member(&owner.company_id, "viewer").await;
    let body = json!({ "permissions": { "customers:read": false, "price_book:read": false, "equipment:read": false, "jobs:read": false } });
    let path = format!("team_members?user_id=eq.{}", viewer.user_id);
    assert_eq!(server.patch(&owner, &path, body, "").await.status, 204);
    for function in ["search_customers", "search_jobs", "search_price_book", "search_equipment", "search_everything"] {
        let call = async |who: &Caller, body: Value| server.post(who, &format!("rpc/{function}"), body, "").await;
        call(&Server::nobody(), json!({ "query": "x" })).await.refused(401, "42501");
        call(&alone, json!({ "query": "x" })).await.refused(403, "company_required");
        call(&server.service(), json!({ "query": "x" })).await.refused(403, "company_required");
        call(&owner, json!({ "query": "ab", "max_results": 0 })).await.refused(422, "search_limit_invalid");
        call(&owner, json!({ "query": "ab", "max_results": 101 })).await.refused(422, "search_limit_invalid");
        call(&owner, json!({ "query": "ab", "max_results": null })).await.refused(422, "search_limit_invalid");
        call(&owner, json!({ "query": "x".repeat(201) })).await.refused(422, "search_query_too_long");
        assert_eq!(call(&owner, json!({ "query": null })).await.ok(), json!([]));
        for query in ["' or 1=1 --", "a & b | !c", "\\", "foo:*", "(((", "𝔘𝔫𝔦", "\u{202e}abc", "🙂 🙂"] {
            assert_eq!(call(&owner, json!({ "query": query })).await.status, 200, "{function} {query}");
        }
        if function == "search_everything" {
            assert_eq!(call(&viewer, json!({ "query": "x" })).await.ok(), json!([]));
        } else {
            call(&viewer, json!({ "query": "x" })).await.refused(403, "permission_denied");
        }
    }
    assert_eq!(server.get(&owner, "rpc/search_customers?query=ab&max_results=5").await.ok(), json!([]));
}

/// A company with a technician and two jobs, one of them his.
async fn working() -> (Server, Caller, Caller) {
    let server = Server::new().await;
    let owner = server.owner("ann").await;
    let technician = server.member(&owner.company_id, "technician").await;
    let row = json!({ "first_name": "Rosalind", "last_name": "Abernathy", "phone": "415 555 0123" });
    let customer = server.post(&owner, "customers", row, "return=representation").await.ok()[0]["id"].clone();
    for (title, assigned_to) in [("Furnace repair", json!(technician.user_id)), ("Furnace installation", Value::Null)] {
        let job = json!({ "title": title, "customer_id": customer, "assigned_to": assigned_to, "description": "second floor, ring twice" });
        assert_eq!(server.post(&owner, "jobs", job, "").await.status, 201);
    }
    (server, owner, technician)
}

#[tokio::test]
async fn jobs_by_number_title_and_customer() {
    let (server, owner, _) = Box::pin(working()).await;
    let jobs = server.get(&owner, "jobs?select=job_number,title&order=job_number").await.ok();
    let number = jobs[1]["job_number"].as_str().unwrap();
    assert_eq!(found(&server, &owner, "search_jobs", number, "job_number").await[0], number);
    assert_eq!(found(&server, &owner, "search_jobs", &number.to_lowercase(), "job_number").await[0], number);
    let titles = found(&server, &owner, "search_jobs", "furnace repair", "title").await;
    assert_eq!(titles[0], "Furnace repair");
    for query in ["furnace", "furnase", "furn", "ring twice", "Abernathy", "Rosalnd Abernaty", "(415) 555-0123"] {
        assert_eq!(found(&server, &owner, "search_jobs", query, "title").await.len(), 2, "{query}");
    }
    assert_eq!(search(&server, &owner, "search_jobs", "abernathy").await[0]["customer_name"], "Rosalind Abernathy");
    server.delete(&owner, "jobs?title=eq.Furnace repair", "").await;
    assert_eq!(found(&server, &owner, "search_jobs", "furnace", "title").await, ["Furnace installation"]);
}

#[tokio::test]
async fn a_technician_finds_his_own_jobs_only() {
    let (server, owner, technician) = Box::pin(working()).await;
    for query in ["furnace", "furnase", "Abernathy", "ring twice", "4155550123"] {
        assert_eq!(found(&server, &technician, "search_jobs", query, "title").await, ["Furnace repair"], "{query}");
        let everything = search(&server, &technician, "search_everything", query).await;
        let jobs: Vec<&Value> = everything.iter().filter(|row| row["kind"] == "job").map(|row| &row["title"]).collect();
        assert_eq!(jobs.len(), 1, "{query}: {jobs:?}");
    }
    let other = server.get(&owner, "jobs?title=eq.Furnace installation&select=job_number").await.ok();
    let number = other[0]["job_number"].as_str().unwrap();
    assert!(!found(&server, &technician, "search_jobs", number, "job_number").await.contains(&number.to_owned()));
}

#[tokio::test]
async fn price_book_and_equipment_by_number_name_and_misspelt() {
    let (server, owner, _) = Box::pin(working()).await;
    let superuser = server.db.superuser().await;
    let rows = "
insert into public.price_book_categories (company_id, name, slug) values ('{c}', 'Parts', 'parts');
insert into public.price_book_items (company_id, category_id, name, sku, description, is_active)
select '{c}', g.id, v.name, v.sku, v.description, v.is_active
  from public.price_book_categories g,
       (values ('Dual run capacitor 45/5 MFD', 'CAP-455', 'starts compressor and fan', true), ('Contactor 2 pole 40 A', 'CON-240', null, true),
               ('Thermostat, programmable', 'TH-8320', null, true), ('Thermostat wire', 'TH-WIRE', null, false)) v (name, sku, description, is_active)
 where g.company_id = '{c}' and g.name = 'Parts';
insert into public.equipment (company_id, customer_id, equipment_number, name, manufacturer, model, serial_number)
select '{c}', c.id, 'EQ-' || v.model, v.name, v.manufacturer, v.model, v.serial_number
  from public.customers c, (values ('Gas furnace', 'Rheem', 'R96V', 'RH12345'), ('Heat pump', 'Daikin', 'DZ18', 'DK777')) v (name, manufacturer, model, serial_number)
 where c.company_id = '{c}'";
    superuser.batch_execute(&rows.replace("{c}", &owner.company_id)).await.unwrap();
    for (query, name) in [
        ("CAP-455", "Dual run capacitor 45/5 MFD"),
        ("cap-455", "Dual run capacitor 45/5 MFD"),
        ("capasitor", "Dual run capacitor 45/5 MFD"),
        ("compressor", "Dual run capacitor 45/5 MFD"),
        ("contacter", "Contactor 2 pole 40 A"),
        ("termostat", "Thermostat, programmable"),
        ("thermostat", "Thermostat, programmable"),
    ] {
        assert_eq!(found(&server, &owner, "search_price_book", query, "name").await[0], name, "{query}");
    }
    for (query, name) in [
        ("RH12345", "Gas furnace"),
        ("rheem", "Gas furnace"),
        ("reem furnace", "Gas furnace"),
        ("dakin", "Heat pump"),
        ("dz18", "Heat pump"),
    ] {
        assert_eq!(found(&server, &owner, "search_equipment", query, "name").await[0], name, "{query}");
    }
    let everything = search(&server, &owner, "search_everything", "furnace").await;
    let kinds: std::collections::BTreeSet<&str> = everything.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["equipment", "job"]);
    let bob = server.owner("bob").await;
    for (function, query) in
        [("search_price_book", "CAP-455"), ("search_equipment", "RH12345"), ("search_jobs", "furnace"), ("search_everything", "furnace")]
    {
        assert_eq!(search(&server, &bob, function, query).await, Vec::<Value>::new(), "{function}");
    }
}
