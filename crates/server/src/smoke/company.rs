//! What a member does in the company that he works in: a row, a file, and away with both.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use kernel::Secret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::{Ask, Caller, told};
use super::{Account, Fault, Seen, wrong};

/// What the file says.
const CONTENT: &[u8] = b"a file of thorbis smoke";

/// A session of the account.
pub(super) struct Session {
    token: Secret<String>,
    company: Option<Uuid>,
}

impl Session {
    /// Signs in.
    pub(super) async fn open(caller: &Caller, account: &Account) -> Result<(Self, String), Fault> {
        let shown = json!({ "email": account.email, "password": account.password.expose() });
        let answer = caller.json(Ask::json("/auth/v1/token?grant_type=password", &shown)).await?;
        let token = answer.get("access_token").and_then(Value::as_str).ok_or_else(|| Fault::Wrong("the answer has no token".to_owned()))?;
        let company = company(token);
        let seen = company.map_or_else(|| "in no company".to_owned(), |company| format!("in company {company}"));
        Ok((Self { token: Secret::new(token.to_owned()), company }, seen))
    }

    pub(super) fn token(&self) -> &str {
        self.token.expose()
    }

    pub(super) fn company(&self) -> Result<Uuid, Fault> {
        self.company.ok_or(Fault::Nothing("the account is in no company"))
    }

    /// Writes a label, which is nothing but a name, and deletes it whatever came between.
    pub(super) async fn row(&self, caller: &Caller) -> Seen {
        self.company()?;
        let name = format!("smoke-{}", Uuid::now_v7());
        let path = format!("/rest/v1/tags?name=eq.{name}&select=name,company_id");
        caller.json(Ask::json("/rest/v1/tags", &json!({ "name": name })).with(self.token())).await?;
        let looked = self.look_at_row(caller, &path).await;
        let gone = caller.json(Ask::delete(&path).with(self.token())).await;
        looked?;
        gone?;
        match caller.json(Ask::get(&path).with(self.token())).await?.as_array().map(Vec::len) {
            Some(0) => Ok("written, read, refused to others, deleted".to_owned()),
            _ => wrong("the row is there after it was deleted"),
        }
    }

    async fn look_at_row(&self, caller: &Caller, path: &str) -> Result<(), Fault> {
        let rows = caller.json(Ask::get(path).with(self.token())).await?;
        let company = rows.get(0).and_then(|row| row.get("company_id")).and_then(Value::as_str);
        if rows.as_array().map(Vec::len) != Some(1) || company != Some(&*self.company()?.to_string()) {
            return wrong("the row that was written does not come back");
        }
        caller.refused(Ask::get(path).without_key(), &[401]).await.map(|_| ())
    }

    /// Puts a file into the company's folder and deletes it whatever came between; it is in the trash for a while then.
    pub(super) async fn file(&self, caller: &Caller) -> Seen {
        let path = format!("/storage/v1/object/attachments/{}/smoke/{}.txt", self.company()?, Uuid::now_v7());
        let put = Ask { method: Method::POST, path: &path, body: Some(("text/plain", CONTENT.to_vec())), ..Ask::default() };
        caller.json(put.with(self.token())).await?;
        let looked = self.look_at_file(caller, &path).await;
        let gone = caller.json(Ask::delete(&path).with(self.token())).await;
        looked?;
        gone?;
        caller.refused(Ask::get(&path).with(self.token()), &[400, 404]).await?;
        Ok("put, read, refused to others, deleted".to_owned())
    }

    async fn look_at_file(&self, caller: &Caller, path: &str) -> Result<(), Fault> {
        let answer = caller.ask(Ask::get(path).with(self.token())).await?;
        if !answer.status.is_success() {
            return wrong(told(path, &answer));
        }
        if answer.body != CONTENT {
            return wrong("the file comes back changed");
        }
        caller.refused(Ask::get(path).without_key(), &[400, 401, 403, 404]).await.map(|_| ())
    }

    /// Signs out, of this session alone.
    pub(super) async fn close(&self, caller: &Caller) -> Seen {
        let out = Ask { method: Method::POST, path: "/auth/v1/logout?scope=local", ..Ask::default() };
        caller.json(out.with(self.token())).await?;
        caller.refused(Ask::get("/auth/v1/user").with(self.token()), &[401, 403]).await?;
        Ok("its token opens nothing any more".to_owned())
    }
}

/// Reads which company a token is for. Nothing is decided by it: the server decides.
fn company(token: &str) -> Option<Uuid> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("company_id")?.as_str()?.parse().ok()
}
