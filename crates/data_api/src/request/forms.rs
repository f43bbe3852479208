//! The forms that an answer may have, and the plan that may be wanted instead of one.

/// The form of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MediaType {
    /// A JSON array, or a function's value.
    Json,
    /// `application/vnd.pgrst.array+json;nulls=stripped`.
    JsonStripped,
    /// One object; anything else is an error.
    Object,
    /// One object without its nulls.
    ObjectStripped,
    /// `text/csv`.
    Csv,
    /// `application/geo+json`.
    GeoJson,
    /// A form that the database itself makes.
    Custom,
}

/// A form that a client takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Accept {
    /// Its name for people.
    pub(crate) name: String,
    /// What it means.
    pub(crate) meaning: Meaning,
}

/// What is meant by a form that a client takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    /// A form of this dialect, or how it would be made: no form of the database goes before it.
    Own(MediaType, Option<Explain>),
    /// Whatever has this name.
    Named(String),
    /// What is never given.
    Refused,
}

/// A form that the database itself makes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Custom {
    /// How it is made.
    pub(crate) made: Made,
    /// The type of the answer.
    pub(crate) content_type: String,
    /// Whether it consists of bytes and not of text.
    pub(crate) is_binary: bool,
}

/// How a form of the database is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Made {
    /// It is the value of the function that is called.
    Value,
    /// By an aggregate over the rows.
    Aggregate {
        /// Its schema.
        schema: String,
        /// Its name.
        name: String,
        /// Schema and name of the relation whose rows it takes; none where it takes any.
        target: Option<(String, String)>,
    },
    /// By `PostGIS` in this schema.
    GeoJson(String),
}

/// How a plan is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Explain {
    /// The form.
    pub(crate) format: PlanFormat,
    /// What is told besides, each once.
    pub(crate) options: Vec<PlanOption>,
}

/// The form of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PlanFormat {
    /// Lines for people.
    Text,
    /// JSON.
    Json,
}

/// What is told of a plan besides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PlanOption {
    /// How it went: the statement is run.
    Analyze,
    /// What each step gives.
    Verbose,
    /// Settings that matter and are not PostgreSQL's own.
    Settings,
    /// Pages that were read.
    Buffers,
    /// What was written ahead.
    Wal,
}

impl PlanOption {
    /// All of them, in the order of the dialect.
    pub(crate) const ALL: [Self; 5] = [Self::Analyze, Self::Verbose, Self::Settings, Self::Buffers, Self::Wal];

    /// Returns its word in the dialect and in SQL.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Analyze => "analyze",
            Self::Verbose => "verbose",
            Self::Settings => "settings",
            Self::Buffers => "buffers",
            Self::Wal => "wal",
        }
    }
}

impl MediaType {
    /// Returns the name of the form.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::JsonStripped => "application/vnd.pgrst.array+json;nulls=stripped",
            Self::Object => "application/vnd.pgrst.object+json",
            Self::ObjectStripped => "application/vnd.pgrst.object+json;nulls=stripped",
            Self::Csv => "text/csv",
            Self::GeoJson => "application/geo+json",
            Self::Custom => "application/octet-stream",
        }
    }
}

impl Explain {
    /// Returns the name of the form in which a plan for an answer of this form is told.
    pub(crate) fn name(&self, media: MediaType) -> String {
        let format = match self.format {
            PlanFormat::Text => "text",
            PlanFormat::Json => "json",
        };
        let mut name = format!("application/vnd.pgrst.plan+{format}; for=\"{}\"", media.name());
        let words: Vec<&str> = self.options.iter().map(|option| option.word()).collect();
        if !words.is_empty() {
            name.push_str("; options=");
            name.push_str(&words.join("|"));
        }
        name
    }
}
