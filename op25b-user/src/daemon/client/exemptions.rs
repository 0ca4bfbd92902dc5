//! What can be asked of a daemon about exemptions and connections.

use std::{fmt::Display, net::IpAddr, path::PathBuf};

use form_urlencoded::Serializer;
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{AskError, Question, Sent};
use crate::api::{
    Added, Exemption, Explained, ExtendExemption, Extended, HistoryEntry, ImportExemptions, Imported,
    NewExemption, Page, Removed,
};

/// So many items are asked for at once.
const PAGE: usize = 1000;

/// Somebody who asks the daemon at one place.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    runtime_dir: PathBuf,
}

/// Which exemptions are asked for; what is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Those of this customer.
    pub(crate) customer: Option<String>,
    /// Those that end within this time.
    pub(crate) expiring: Option<String>,
    /// Those with an address in this prefix.
    pub(crate) within: Option<String>,
    /// Expired and removed ones, too.
    pub(crate) all: bool,
}

impl Client {
    /// Asks the daemon whose socket is here.
    pub(crate) fn new(runtime_dir: impl Into<PathBuf>) -> Self {
        Self {
            runtime_dir: runtime_dir.into(),
        }
    }

    /// The exemptions, of the policy file and the store.
    pub(crate) async fn list(&self, listing: &Listing) -> Result<Vec<Exemption>, AskError> {
        let mut query: Vec<(&str, &str)> = Vec::new();
        query.extend(listing.customer.as_deref().map(|customer| ("customer", customer)));
        query.extend(listing.expiring.as_deref().map(|time| ("expiring", time)));
        query.extend(listing.within.as_deref().map(|prefix| ("in", prefix)));
        if listing.all {
            query.push(("all", "true"));
        }
        let mut exemptions = Vec::new();
        let mut after = None;
        loop {
            let page: Page<Exemption> = self.page("/v1/exemptions", &query, after.as_deref()).await?;
            exemptions.extend(page.items);
            match page.next {
                // A place that does not move on would be asked for for ever.
                Some(next) if Some(&next) != after.as_ref() => after = Some(next),
                _ => return Ok(exemptions),
            }
        }
    }

    /// One exemption.
    pub(crate) async fn show(&self, id: &str) -> Result<Exemption, AskError> {
        Question::get(of(id, "")).ask(&self.runtime_dir).await
    }

    /// A part of what happened, to one exemption or to all.
    pub(crate) async fn history(
        &self,
        id: Option<&str>,
        after: Option<&str>,
    ) -> Result<Page<HistoryEntry>, AskError> {
        let path = id.map_or_else(|| "/v1/history".to_owned(), |id| of(id, "/history"));
        self.page(&path, &[], after).await
    }

    /// Adds an exemption.
    pub(crate) async fn add(&self, exemption: &NewExemption) -> Result<Added, AskError> {
        Question::change(Method::POST, "/v1/exemptions", Some(exemption))?
            .ask(&self.runtime_dir)
            .await
    }

    /// Changes when an exemption ends.
    pub(crate) async fn extend(&self, id: &str, extend: &ExtendExemption) -> Result<Extended, AskError> {
        Question::change(Method::PATCH, of(id, ""), Some(extend))?
            .ask(&self.runtime_dir)
            .await
    }

    /// Removes an exemption.
    pub(crate) async fn remove(&self, id: &str, reason: &str) -> Result<Removed, AskError> {
        let uri = with_query(&of(id, ""), &[("reason", reason)]);
        Question::change(Method::DELETE, uri, None::<&()>)?
            .ask(&self.runtime_dir)
            .await
    }

    /// Adds many exemptions at once; `sent` learns how many bytes are on their way, of how many.
    pub(crate) async fn import(
        &self,
        import: &ImportExemptions,
        sent: impl FnOnce(u64) -> Sent,
    ) -> Result<Imported, AskError> {
        let mut question = Question::change(Method::POST, "/v1/exemptions/import", Some(import))?;
        question.sent = sent(question.body.len() as u64);
        question.ask(&self.runtime_dir).await
    }

    /// What the program in the kernel does with a connection.
    pub(crate) async fn explain(
        &self,
        source: IpAddr,
        destination: Option<IpAddr>,
        port: u16,
    ) -> Result<Explained, AskError> {
        let text = |value: &dyn Display| value.to_string();
        let mut query = vec![("source", text(&source)), ("port", text(&port))];
        query.extend(destination.map(|destination| ("destination", text(&destination))));
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        Question::get(with_query("/v1/explain", &query))
            .ask(&self.runtime_dir)
            .await
    }

    async fn page<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        after: Option<&str>,
    ) -> Result<Page<T>, AskError> {
        let limit = PAGE.to_string();
        let mut query = query.to_vec();
        query.extend(after.map(|after| ("after", after)));
        query.push(("limit", &limit));
        Question::get(with_query(path, &query))
            .ask(&self.runtime_dir)
            .await
    }
}

/// The path of an exemption; an id from a policy file may have any character in it.
fn of(id: &str, below: &str) -> String {
    format!(
        "/v1/exemptions/{}{below}",
        utf8_percent_encode(id, NON_ALPHANUMERIC)
    )
}

fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(query).finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_an_id_or_a_query_stays_in_it() {
        assert_eq!(of("a/b?c", "/history"), "/v1/exemptions/a%2Fb%3Fc/history");
        let query = [("customer", "佐藤 & Söhne +1"), ("in", "2001:db8::/32")];
        let uri = with_query("/v1/exemptions", &query);
        let parsed: hyper::Uri = uri.parse().unwrap();
        let pairs: Vec<_> = form_urlencoded::parse(parsed.query().unwrap().as_bytes()).collect();
        assert_eq!(pairs.len(), 2);
        assert_eq!(
            (pairs[0].1.as_ref(), pairs[1].1.as_ref()),
            (query[0].1, query[1].1)
        );
        assert_eq!(with_query("/v1/history", &[]), "/v1/history");
    }
}
