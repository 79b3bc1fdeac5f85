//! Pages of lists: sizes, and tokens that say after which id to go on. Tokens mean nothing to clients.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sprout_app::ports::{MachinePage, Page};
use sprout_domain::{Error, Result};

const DEFAULT_SIZE: u32 = 100;
const MAX_SIZE: u32 = 1000;

/// A page asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// Items on it, at most.
    pub(crate) size: usize,
    /// Last id of the page before; none: the first page.
    pub(crate) after: Option<i64>,
}

impl PageRequest {
    /// Reads `page_size` and `page_token`.
    pub(crate) fn read(size: u32, token: &str) -> Result<Self> {
        let size = match size {
            0 => DEFAULT_SIZE,
            1..=MAX_SIZE => size,
            _ => {
                return Err(Error::invalid("page_size", format!("a page has at most {MAX_SIZE} items; ask for fewer")));
            }
        };
        let after = if token.is_empty() { None } else { Some(read_token(token)?) };
        Ok(Self { size: size as usize, after })
    }

    /// What to ask a list by descending id for: one more than the page holds, which tells whether there is a next.
    pub(crate) fn rows(self) -> Page {
        Page { before: self.after, limit: self.size as u64 + 1 }
    }

    /// Cuts what was found to the page; returns the token of the next, empty if this is the last.
    pub(crate) fn cut<T>(self, items: &mut Vec<T>, id: impl Fn(&T) -> i64) -> String {
        if items.len() <= self.size {
            return String::new();
        }
        items.truncate(self.size);
        items.last().map(|last| BASE64_URL_SAFE_NO_PAD.encode(id(last).to_be_bytes())).unwrap_or_default()
    }
}

/// A page asked for of a list that is ordered by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamePage {
    size: usize,
    after: Option<String>,
}

impl NamePage {
    /// Reads `page_size` and `page_token`.
    pub(crate) fn read(size: u32, token: &str) -> Result<Self> {
        let PageRequest { size, .. } = PageRequest::read(size, "")?;
        let name = |token| {
            String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok().filter(|name| !name.contains('\0'))
        };
        let after = (!token.is_empty()).then(|| name(token).ok_or_else(no_token)).transpose()?;
        Ok(Self { size, after })
    }

    /// One more than the page holds, which tells whether there is a next.
    pub(crate) fn rows(&self) -> MachinePage {
        MachinePage { after: self.after.clone(), limit: self.size as u64 + 1 }
    }

    /// Cuts what was found to the page; returns the token of the next, empty if this is the last.
    pub(crate) fn cut<T>(&self, items: &mut Vec<T>, name: impl Fn(&T) -> &str) -> String {
        if items.len() <= self.size {
            return String::new();
        }
        items.truncate(self.size);
        items.last().map(|last| BASE64_URL_SAFE_NO_PAD.encode(name(last))).unwrap_or_default()
    }
}

fn no_token() -> Error {
    Error::invalid("page_token", "this is no page token of this list; send `next_page_token` as it came, or nothing")
}

fn read_token(token: &str) -> Result<i64> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    let id = bytes.map(i64::from_be_bytes).filter(|id| *id > 0);
    id.ok_or_else(no_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_default_and_a_limit() {
        assert_eq!(PageRequest::read(0, "").unwrap().size, 100);
        assert_eq!(PageRequest::read(1000, "").unwrap().size, 1000);
        assert_eq!(PageRequest::read(1001, "").unwrap_err().metadata, [("field", "page_size".to_owned())]);
    }

    #[test]
    fn tokens_lead_to_the_next_page_and_end() {
        let page = PageRequest::read(2, "").unwrap();
        let mut items = vec![9_i64, 7, 5];
        let token = page.cut(&mut items, |id| *id);
        assert_eq!(items, [9, 7]);
        let next = PageRequest::read(2, &token).unwrap();
        assert_eq!(next.rows(), Page { before: Some(7), limit: 3 });
        assert_eq!(next.cut(&mut vec![5], |id| *id), "");
    }

    #[test]
    fn names_lead_to_the_next_page_and_end() {
        let page = NamePage::read(2, "").unwrap();
        let mut names = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let token = page.cut(&mut names, |name| name);
        assert_eq!(names, ["a", "b"]);
        let next = NamePage::read(2, &token).unwrap().rows();
        assert_eq!((next.after.as_deref(), next.limit), (Some("b"), 3));
        assert!(NamePage::read(2, "_").is_err() && NamePage::read(2, "AA").is_err());
    }

    #[test]
    fn made_up_tokens_are_refused() {
        for token in ["x", "7", "not a token", "AAAAAAAAAAA", "_________________", "AAAAAAAAAAcAAA"] {
            let error = PageRequest::read(0, token).unwrap_err();
            assert_eq!(error.metadata, [("field", "page_token".to_owned())], "{token}");
        }
    }
}
