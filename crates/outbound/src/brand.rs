//! In whose name a message is: what a company's row says of that, read in one way by whoever writes in its name.

use kernel::{Error, Result};
use postgres::{Row, Sql, Tx};

use crate::templates::Brand;

const COLOR: &str = "#1f2937";

impl Brand {
    /// What [`Brand::from_row`] reads, of the company `c`.
    pub const COLUMNS: &'static str =
        "c.name, coalesce(c.logo_url, c.logo) as logo, coalesce(c.brand_primary_color, c.brand_color) as color,
        left(c.settings ->> 'locale', 20) as company_locale ";

    /// Reads a row that was selected with [`Brand::COLUMNS`].
    pub fn from_row(row: &Row) -> Result<Self> {
        let text = |name: &str| row.try_get::<_, Option<String>>(name).map_err(Error::internal);
        Ok(Self { name: text("name")?, logo: text("logo")?, color: text("color")?, locale: text("company_locale")? })
    }

    /// Returns the address of the logo, if a mail may show it.
    pub fn shown_logo(&self) -> Option<&str> {
        self.logo.as_deref().filter(|logo| logo.starts_with("https://"))
    }

    /// Returns the colour of headings and buttons: the company's, else one that is nobody's.
    pub fn shown_color(&self) -> &str {
        self.color.as_deref().filter(|color| is_color(color)).unwrap_or(COLOR)
    }

    /// Finds the brand of the company with this slug, also of one that is on its way out.
    pub async fn of_company(tx: &Tx, slug: &str) -> Result<Option<Self>> {
        let mut sql = Sql::new("select ");
        sql.text(Self::COLUMNS).text("from public.companies c where c.slug = ").bind(slug).text("::text");
        tx.query_opt(sql).await?.map(|row| Self::from_row(&row)).transpose()
    }
}

fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
