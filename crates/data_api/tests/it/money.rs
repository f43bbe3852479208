//! A company that bills: what the tests of estimates, invoices and payments begin with.

use serde_json::{Value, json};

use crate::server::{Answer, Caller, Said, Server};

pub(crate) const FULL: &str = "return=representation";

pub(crate) struct Shop {
    pub(crate) server: Server,
    pub(crate) ann: Caller,
    pub(crate) customer: String,
}

impl Shop {
    pub(crate) async fn new() -> Self {
        Self::over(Server::new().await).await
    }

    pub(crate) async fn over(server: Server) -> Self {
        let ann = server.owner("ann").await;
        let customer = server.customer(&ann, "Ada").await;
        Self { server, ann, customer }
    }

    /// Enters one row as the owner and answers it.
    pub(crate) async fn enter(&self, table: &str, row: Value) -> Value {
        self.enter_as(&self.ann, table, row).await.ok()
    }

    pub(crate) async fn enter_as(&self, who: &Caller, table: &str, row: Value) -> Answer {
        let said = Said { prefer: FULL, accept: "application/vnd.pgrst.object+json", header: None };
        self.server.call(who, ("POST", table), Some(row.to_string()), said).await
    }

    pub(crate) async fn change(&self, path: &str, row: Value) -> Answer {
        self.server.patch(&self.ann, path, row, FULL).await
    }

    /// Reads one row.
    pub(crate) async fn one(&self, path: &str) -> Value {
        let rows = self.server.get(&self.ann, path).await.ok();
        assert_eq!(rows.as_array().map(Vec::len), Some(1), "{path}: {rows}");
        rows[0].clone()
    }

    /// Enters a draft of one line that comes to this.
    pub(crate) async fn draft(&self, total: i64) -> String {
        let lines = json!([{ "description": "Work", "unit_price": total }]);
        let invoice = self.enter("invoices", json!({ "customer_id": self.customer, "line_items": lines })).await;
        assert_eq!(invoice["total_amount"], total);
        id(&invoice)
    }

    /// Enters an invoice and issues it.
    pub(crate) async fn invoice(&self, total: i64) -> String {
        let invoice = self.draft(total).await;
        self.change(&format!("invoices?id=eq.{invoice}"), json!({ "status": "sent" })).await.ok();
        invoice
    }

    pub(crate) fn cash(&self, invoice: &str, amount: i64) -> Value {
        json!({ "customer_id": self.customer, "invoice_id": invoice, "amount": amount, "payment_method": "cash", "status": "completed" })
    }

    pub(crate) async fn pay(&self, invoice: &str, amount: i64) -> Answer {
        self.enter_as(&self.ann, "payments", self.cash(invoice, amount)).await
    }

    /// Reads what of an invoice is paid, credited and left, and its status.
    pub(crate) async fn standing(&self, invoice: &str) -> (i64, i64, i64, String) {
        let row = self.one(&format!("invoices?id=eq.{invoice}")).await;
        let amount = |name: &str| row[name].as_i64().unwrap();
        assert_eq!(amount("paid_amount") + amount("credited_amount") + amount("balance_amount"), amount("total_amount"));
        (amount("paid_amount"), amount("credited_amount"), amount("balance_amount"), row["status"].as_str().unwrap().to_owned())
    }

    /// Reads what the customer owes, has paid, and how many invoices he has.
    pub(crate) async fn figures(&self) -> (i64, i64, i64) {
        let row = self.one(&format!("customers?id=eq.{}", self.customer)).await;
        let figure = |name: &str| row[name].as_i64().unwrap();
        (figure("outstanding_balance"), figure("total_revenue"), figure("total_invoices"))
    }

    /// Lets the time pass for which a deleted row is kept.
    pub(crate) async fn due(&self, table: &str, id: &str) {
        let due = format!("update public.{table} set permanent_delete_scheduled_at = now() - interval '1 minute' where id = '{id}'");
        self.server.db.superuser().await.batch_execute(&due).await.unwrap();
    }

    /// Signs in somebody in this role, with some permissions given or taken.
    pub(crate) async fn member(&self, role: &str, permissions: Value) -> Caller {
        let member = self.server.member(&self.ann.company_id, role).await;
        let path = format!("team_members?user_id=eq.{}", member.user_id);
        self.change(&path, json!({ "permissions": permissions })).await.ok();
        member
    }
}

pub(crate) fn id(row: &Value) -> String {
    row["id"].as_str().unwrap().to_owned()
}
