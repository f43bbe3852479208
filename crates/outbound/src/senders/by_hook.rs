//! Mail and SMS that a hook sends, in the shapes that hooks made for Supabase read.

use kernel::Error;
use postgres::Tx;
use serde_json::json;

use super::{Letter, Receipt, Refusal};
use crate::Channel;
use crate::hook::Hook;

/// Hands a message to a hook. What it refuses as the client's fault stays refused.
pub(crate) async fn send(hook: &Hook, tx: Option<&Tx>, letter: &Letter<'_>) -> Result<Receipt, Refusal> {
    let message = letter.message;
    let payload = message.payload.clone().unwrap_or_else(|| match letter.channel {
        Channel::Mail => json!({ "user": { "email": letter.recipient }, "email_data": { "email_action_type": letter.purpose } }),
        Channel::Sms | Channel::Push => json!({ "user": { "phone": letter.recipient }, "sms": { "text": message.text } }),
    });
    hook.ask(tx, &payload, letter.now).await.map(|_answer| Receipt { key: None }).map_err(|error| refusal(&error))
}

fn refusal(error: &Error) -> Refusal {
    let reason = format!("the hook: {error}");
    if error.code() == "hook_refused" && error.status().is_client_error() { Refusal::lasting(&reason) } else { Refusal::passing(&reason) }
}
