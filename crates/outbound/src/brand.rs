//! In whose name a message is: what a company's row says of that, read in one way by whoever writes in its name.

use kernel::{Error, Result};
use postgres::{Row, Sql, Tx};

use crate::templates::Brand;

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

    /// Finds the brand of the company with this slug, also of one that is on its way out.
    pub async fn of_company(tx: &Tx, slug: &str) -> Result<Option<Self>> {
        let mut sql = Sql::new("select ");
        sql.text(Self::COLUMNS).text("from public.companies c where c.slug = ").bind(slug).text("::text");
        tx.query_opt(sql).await?.map(|row| Self::from_row(&row)).transpose()
    }
}
