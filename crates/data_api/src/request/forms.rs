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
    /// `application/octet-stream`: one value, raw.
    Bytes,
    /// `text/plain`: one value, raw.
    Text,
    /// `text/xml`: one value, raw.
    Xml,
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
            Self::Bytes => "application/octet-stream",
            Self::Text => "text/plain",
            Self::Xml => "text/xml",
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
