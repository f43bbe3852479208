//! What a link or code is for, in our words and in those of the wire.

/// What it is for. Of each a user has at most one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    Confirmation,
    Recovery,
    EmailChangeCurrent,
    EmailChangeNew,
    PhoneConfirmation,
    PhoneChange,
    Reauthentication,
}

impl Purpose {
    const ALL: [Self; 7] = [
        Self::Confirmation,
        Self::Recovery,
        Self::EmailChangeCurrent,
        Self::EmailChangeNew,
        Self::PhoneConfirmation,
        Self::PhoneChange,
        Self::Reauthentication,
    ];

    /// Returns its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Recovery => "recovery",
            Self::EmailChangeCurrent => "email_change_current",
            Self::EmailChangeNew => "email_change_new",
            Self::PhoneConfirmation => "phone_confirmation",
            Self::PhoneChange => "phone_change",
            Self::Reauthentication => "reauthentication",
        }
    }

    /// Tells whether it gives an account another address or number.
    pub(super) fn is_change(self) -> bool {
        matches!(self, Self::EmailChangeCurrent | Self::EmailChangeNew | Self::PhoneChange)
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    /// Returns what a `type` of the wire may use up, with an address or a link.
    pub(super) fn of_mail(kind: &str) -> Option<&'static [Self]> {
        match kind {
            "signup" | "invite" => Some(&[Self::Confirmation]),
            "magiclink" | "recovery" => Some(&[Self::Recovery]),
            "email" => Some(&[Self::Confirmation, Self::Recovery]),
            "email_change" => Some(&[Self::EmailChangeCurrent, Self::EmailChangeNew]),
            _ => None,
        }
    }

    /// Returns what a `type` of the wire may use up, with a telephone number.
    pub(super) fn of_phone(kind: &str) -> Option<&'static [Self]> {
        match kind {
            "sms" => Some(&[Self::PhoneConfirmation]),
            "phone_change" => Some(&[Self::PhoneChange]),
            _ => None,
        }
    }
}
