//! table: the attributes of users and groups, as RFC 7643 defines them, of which each is read, kept, filtered and described here
//!
//! Invariant: what a client names is looked up here; names that reach a statement are those of this table and no others.

use std::fmt;

/// The schema of a user.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of a group.
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// What an employer adds to a user.
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What sort of value an attribute has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Text,
    Boolean,
    DateTime,
    Reference,
    Complex,
}

/// Who writes an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mutability {
    ReadWrite,
    ReadOnly,
    Immutable,
}

/// An attribute, or an extension, whose attributes stand below its URN.
#[derive(PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property that the RFC gives an attribute")]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) multi: bool,
    /// Whether capital letters count.
    pub(super) exact: bool,
    pub(super) required: bool,
    pub(super) mutability: Mutability,
    /// Whether it is there once in a company.
    pub(super) unique: bool,
    pub(super) subs: &'static [Attribute],
    pub(super) about: &'static str,
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What a resource can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ResourceKind {
    User,
    Group,
}

impl ResourceKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    pub(super) fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    pub(super) fn schema(self) -> &'static str {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
        }
    }

    /// Returns what a resource of this kind has, the common attributes first.
    pub(super) fn attributes(self) -> impl Iterator<Item = &'static Attribute> {
        let own = match self {
            Self::User => USER_ATTRIBUTES,
            Self::Group => GROUP_ATTRIBUTES,
        };
        COMMON.iter().chain(own)
    }
}

impl Attribute {
    /// Finds an attribute of this one, whatever its capital letters.
    pub(super) fn sub(&self, name: &str) -> Option<&'static Attribute> {
        self.subs.iter().find(|sub| sub.name.eq_ignore_ascii_case(name))
    }

    /// Tells whether it is an extension.
    pub(super) fn is_extension(&self) -> bool {
        self.name.starts_with("urn:")
    }

    const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        let (mutability, subs) = (Mutability::ReadWrite, &[]);
        Self { name, kind, multi: false, exact: false, required: false, mutability, unique: false, subs, about }
    }

    const fn of(name: &'static str, subs: &'static [Attribute], about: &'static str) -> Self {
        Self { subs, ..Self::new(name, Kind::Complex, about) }
    }

    const fn list(name: &'static str, subs: &'static [Attribute], about: &'static str) -> Self {
        Self { multi: true, ..Self::of(name, subs, about) }
    }

    const fn exact(self) -> Self {
        Self { exact: true, ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    const fn by(self, mutability: Mutability) -> Self {
        Self { mutability, ..self }
    }
}

const fn text(name: &'static str, about: &'static str) -> Attribute {
    Attribute::new(name, Kind::Text, about)
}

const fn own(name: &'static str, kind: Kind, about: &'static str) -> Attribute {
    Attribute::new(name, kind, about).exact().by(Mutability::ReadOnly)
}

/// What every resource has.
pub(super) const COMMON: &[Attribute] = &[
    own("id", Kind::Text, "The resource's id in this company").required().unique(),
    text("externalId", "The id that the directory has for the resource").exact(),
    Attribute::of(
        "meta",
        &[
            own("resourceType", Kind::Text, "What the resource is"),
            own("created", Kind::DateTime, "When it was made here"),
            own("lastModified", Kind::DateTime, "When it was last changed here"),
            own("location", Kind::Reference, "Its address"),
            own("version", Kind::Text, "Its version, as in the header ETag"),
        ],
        "What the server says of the resource",
    )
    .by(Mutability::ReadOnly),
];

const LABELLED: &[Attribute] = &[
    text("value", "The value"),
    text("display", "The value for people to read"),
    text("type", "What the value is for, such as work or home"),
    Attribute::new("primary", Kind::Boolean, "Whether this is the preferred value; true once at most"),
];

const PLACE: &[Attribute] = &[
    text("formatted", "The whole address"),
    text("streetAddress", "Street and number"),
    text("locality", "The city"),
    text("region", "The state or region"),
    text("postalCode", "The postal code"),
    text("country", "The country"),
    text("type", "What the address is for, such as work or home"),
    Attribute::new("primary", Kind::Boolean, "Whether this is the preferred address; true once at most"),
];

/// What a user has beside that.
pub(super) const USER_ATTRIBUTES: &[Attribute] = &[
    text("userName", "The name by which the directory knows the user").required().unique(),
    Attribute::of(
        "name",
        &[
            text("formatted", "The whole name"),
            text("familyName", "The family name"),
            text("givenName", "The given name"),
            text("middleName", "The middle names"),
            text("honorificPrefix", "A title before the name"),
            text("honorificSuffix", "A title behind the name"),
        ],
        "The parts of the user's name",
    ),
    text("displayName", "The name as others see it"),
    text("nickName", "How the user is called"),
    Attribute::new("profileUrl", Kind::Reference, "A page about the user"),
    text("title", "The job title; what the member has in the company"),
    text("userType", "How the user belongs to the organisation"),
    text("preferredLanguage", "The language that the user prefers"),
    text("locale", "Where the user is, for numbers and dates"),
    text("timezone", "The user's time zone"),
    Attribute::new("active", Kind::Boolean, "Whether the membership is in force; false suspends it at once"),
    Attribute::list("emails", LABELLED, "E-mail addresses; the primary one is that of the account"),
    Attribute::list("phoneNumbers", LABELLED, "Telephone numbers"),
    Attribute::list("ims", LABELLED, "Addresses for instant messages"),
    Attribute::list("photos", LABELLED, "Addresses of pictures"),
    Attribute::list("addresses", PLACE, "Postal addresses"),
    Attribute::list(
        "groups",
        &[
            own("value", Kind::Text, "The group's id"),
            own("$ref", Kind::Reference, "The group's address"),
            text("display", "The group's name").by(Mutability::ReadOnly),
            text("type", "Always direct").by(Mutability::ReadOnly),
        ],
        "The groups that the user is in",
    )
    .by(Mutability::ReadOnly),
    Attribute::list("entitlements", LABELLED, "What the directory says that the user may use"),
    Attribute::list("roles", LABELLED, "What the directory says that the user is; groups decide of roles here"),
    Attribute::of(
        ENTERPRISE,
        &[
            text("employeeNumber", "The number of the employee"),
            text("costCenter", "The cost centre"),
            text("organization", "The organisation"),
            text("division", "The division"),
            text("department", "The department's name"),
            Attribute::of(
                "manager",
                &[
                    text("value", "The id of the user's manager").exact(),
                    Attribute::new("$ref", Kind::Reference, "The manager's address"),
                    text("displayName", "The manager's name"),
                ],
                "The user's manager",
            ),
        ],
        "What an employer knows of a user",
    ),
];

/// What a group has beside that.
pub(super) const GROUP_ATTRIBUTES: &[Attribute] = &[
    text("displayName", "The group's name; by it a company maps the group to a role or department").required().unique(),
    Attribute::list(
        "members",
        &[
            text("value", "The user's id").exact().by(Mutability::Immutable),
            Attribute::new("$ref", Kind::Reference, "The user's address").by(Mutability::Immutable),
            text("display", "The user's name").by(Mutability::ReadOnly),
            text("type", "Always User").by(Mutability::Immutable),
        ],
        "The users in the group",
    ),
];
